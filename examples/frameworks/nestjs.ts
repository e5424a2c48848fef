/** A NestJS provider of notifications, and a controller that sends them to browsers. */
import "reflect-metadata";
import { Controller, Inject, type MessageEvent, Module, Sse } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { connect, type KeyspaceNotificationsInterface } from "keywatch";
import { Observable } from "rxjs";

export const NOTIFICATIONS = Symbol("notifications");

/** Provides one connection, which closes with the application. */
@Module({
  providers: [{ provide: NOTIFICATIONS, useFactory: () => connect(process.env.REDIS_URL!) }],
  exports: [NOTIFICATIONS],
})
export class KeywatchModule {
  constructor(@Inject(NOTIFICATIONS) private notifications: KeyspaceNotificationsInterface) {}

  async onApplicationShutdown(): Promise<void> {
    await this.notifications.close();
  }
}

@Controller()
export class UsersController {
  constructor(@Inject(NOTIFICATIONS) private notifications: KeyspaceNotificationsInterface) {}

  /** What happens to users, and gaps, after which a browser should load users again. */
  @Sse("events")
  events(): Observable<MessageEvent> {
    return new Observable((observer) => {
      const over = new AbortController();
      this.notifications.addEventListener("gap", ({ detail }) => {
        observer.next({ type: "gap", data: detail.reason });
      }, { signal: over.signal });
      const subscription = this.notifications.subscribeKeyspace("user:*", {
        handler: ({ eventType, key }) => observer.next({ type: eventType, data: key }),
      });
      subscription.catch((error) => observer.error(error));
      return () => {
        over.abort();
        subscription.then((one) => one.unsubscribe(), () => {});
      };
    });
  }
}

@Module({ imports: [KeywatchModule], controllers: [UsersController] })
export class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000, "127.0.0.1");
console.log(`${await app.getUrl()}/events`);

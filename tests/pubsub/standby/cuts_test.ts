import { cutUnderLoad } from "./cuts.ts";

Deno.test("a cut connection to a primary causes no gap while a replica stands by", async () => {
  await cutUnderLoad(5, { protocol: 3 });
});

Deno.test("a cut connection causes no gap in RESP2 either", async () => {
  await cutUnderLoad(5, { protocol: 2 });
});

Deno.test("an event whose messages were cut apart comes once", async () => {
  await cutUnderLoad(3, { channels: ["__keyspace@0__:n:*", "__keyspace@*__:n:*"] });
});

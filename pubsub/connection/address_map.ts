import { formatAddress, MAX_PORT } from "./address.ts";
import { reasonOf } from "./dialling.ts";
import { isName } from "./secrets.ts";
import type { TcpAddress } from "./transport.ts";

/** Where to dial a server in place of the address that another one announces for it. */
export type AddressMap = (address: TcpAddress) => TcpAddress;

/** The caller's map, with what it does wrong told as that; each address as it is where there is none. */
export function checkedMap(map: AddressMap | undefined): AddressMap {
  if (map === undefined) return (address) => address;
  return (address) => {
    const fail = (why: string, cause?: unknown) =>
      new TypeError(
        `Cannot use what the option addressMap makes of ${formatAddress(address)}: ${why}`,
        { cause },
      );
    let mapped: Partial<TcpAddress>;
    try {
      // A getter may throw, too.
      const { hostname, port } = map(address) ?? {};
      mapped = { hostname, port } as Partial<TcpAddress>;
    } catch (cause) {
      throw fail(reasonOf(cause), cause);
    }
    return checkTcpAddress(mapped, fail);
  };
}

/**
 * Checks that something is an address.
 *
 * @param fail makes the error that is thrown if it is none
 * @returns a copy
 */
export function checkTcpAddress(
  { hostname, port }: Partial<TcpAddress>,
  fail: (why: string) => TypeError,
): TcpAddress {
  if (typeof hostname !== "string" || !Number.isInteger(port)) {
    throw fail("it is not { hostname, port }");
  }
  if (!isName(hostname)) throw fail("its hostname is not one");
  if (port! < 1 || port! > MAX_PORT) throw fail(`there is no port ${port}`);
  return { hostname, port: port! };
}

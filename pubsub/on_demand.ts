/**
 * What is not needed before a server is connected to. One module, so that bundlers make one chunk of it:
 * each further one would take more than it spares.
 *
 * @module
 */

export { adviseOnReplica, checkKeyPrefix, EventAdvice } from "./advice.ts";
export { keepTrying } from "./first_connect.ts";
export { compareFlags, DeliveryCheck, flagsIn } from "./flags.ts";
export { observe } from "./observer.ts";
export { readReplication } from "./connection/info.ts";
export { RoleCheck } from "./role_check.ts";
export { refuseOther, SideConnection } from "./side_connection.ts";
export { checkUp, degrade } from "./upkeep.ts";

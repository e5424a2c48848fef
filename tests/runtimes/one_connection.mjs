/** The example that every runtime runs; an application has it without types. */
export { watchKeys } from "../../examples/one_connection.ts";

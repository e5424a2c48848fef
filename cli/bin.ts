#!/usr/bin/env node
import process from "node:process";
import { main } from "./main.ts";

// At once: what nobody takes up, from a pipe that is full, would keep the program alive.
process.exit(await main(process.argv.slice(2)));

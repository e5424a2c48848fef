import { testTexts } from "./hostile_replies.ts";

testTexts(100_000);

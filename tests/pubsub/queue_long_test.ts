import { testMarks } from "./queue_marks.ts";

testMarks(500_000);

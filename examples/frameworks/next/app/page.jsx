"use client";
import { useEffect, useState } from "react";

/** Shows events of users as they arrive. */
export default function Page() {
  const [lines, setLines] = useState([]);
  useEffect(() => {
    const source = new EventSource("/events");
    const add = ({ type, data }) => setLines((before) => [...before, `${type} ${data}`]);
    for (const type of ["set", "del", "expired", "gap"]) source.addEventListener(type, add);
    return () => source.close();
  }, []);
  return <ul>{lines.map((line, i) => <li key={i}>{line}</li>)}</ul>;
}

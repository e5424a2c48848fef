import { join } from "node:path";
import { run } from "./run.ts";

/** A certificate and its key, as PEM text. */
export interface Certificate {
  cert: string;
  key: string;
}

/** What the two ends of a TLS connection need, made for one test. */
export interface Certificates {
  /** The authority's certificate, as PEM text; it has signed the two others. */
  ca: string;
  /** The server's. */
  server: Certificate;
  /** A client's. */
  client: Certificate;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes an authority, and certificates signed by it, with OpenSSL.
 *
 * @param names what the server's is for, as OpenSSL writes it
 */
export async function makeCertificates(
  names = "DNS:localhost,IP:127.0.0.1",
): Promise<Certificates> {
  const dir = await Deno.makeTempDir({ prefix: "keywatch-tls-" });
  const openssl = async (...args: string[]) => {
    const { code, output } = await run(["openssl", ...args], { cwd: dir });
    if (code !== 0) throw new Error(`openssl ${args[0]} ended with ${code}; it wrote:\n${output}`);
  };
  const read = (file: string) => Deno.readTextFile(join(dir, file));
  const sign = async (name: string, extensions: string): Promise<Certificate> => {
    await openssl(
      "req",
      "-new",
      ...EC,
      "-keyout",
      "key",
      "-out",
      "request",
      "-subj",
      `/CN=${name}`,
    );
    await Deno.writeTextFile(join(dir, "extensions"), `basicConstraints=CA:FALSE\n${extensions}\n`);
    // deno-fmt-ignore
    await openssl(
      "x509", "-req", "-in", "request", "-CA", "ca", "-CAkey", "ca-key", "-CAcreateserial",
      "-days", "2", "-extfile", "extensions", "-out", "cert",
    );
    return { cert: await read("cert"), key: await read("key") };
  };
  try {
    // deno-fmt-ignore
    await openssl(
      "req", "-x509", ...EC, "-keyout", "ca-key", "-out", "ca", "-days", "2",
      "-subj", "/CN=Keywatch's tests",
      "-addext", "basicConstraints=critical,CA:TRUE",
      "-addext", "keyUsage=critical,keyCertSign",
    );
    return {
      ca: await read("ca"),
      server: await sign("server", `subjectAltName=${names}\nextendedKeyUsage=serverAuth`),
      client: await sign("client", "extendedKeyUsage=clientAuth"),
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

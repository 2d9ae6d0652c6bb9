/**
 * A client that costs next to nothing: on a machine of two cores, what it takes is taken from the server. One
 * connection that is kept, requests as they go over the wire.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Reply = { readonly status: number; readonly body: string };

export class Uploader {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #token: string;
  #received = '';
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket, host: string, token: string) {
    this.#socket = socket;
    this.#host = host;
    this.#token = token;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the connection ended before the answer')));
  }

  static async open(url: string, token: string): Promise<Uploader> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Uploader(socket, host, token);
  }

  /** One request at a time; the answer is one with a Content-Length. */
  async ask(method: string, path: string, body: Uint8Array = new Uint8Array()): Promise<Reply> {
    return await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const head =
        `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nAuthorization: Bearer ${this.#token}\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`;
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      if (body.length > 0) this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  #take(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body: Buffer.from(body, 'latin1').toString() });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

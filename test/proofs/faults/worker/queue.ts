/** Misbehaviour of the queues: messages lost, repeated and overtaken; batches that overlap; consumers that die. */
import type { Bindings } from "../../../../src/bindings.ts";
import type { EndpointWakeUp, FileWakeUp } from "../../../../src/messages.ts";
import { breaking, broken } from "./bindings.ts";
import { random, strikes, suffering } from "./suffering.ts";

type Body = FileWakeUp | EndpointWakeUp;
type Consume = (batch: MessageBatch<Body>, env: Bindings) => Promise<void>;

const LONGEST_HOLD_S = 3;
const LIFE_CALLS = 12;

/** `env` holds the real bindings, so that messages sent from here arrive. */
export async function suffer(
  batch: MessageBatch<Body>,
  env: Bindings,
  ctx: ExecutionContext,
  consume: Consume,
): Promise<void> {
  const queue = producerOf(batch.queue, env);
  const left: Message<Body>[] = [];
  const twice: Message<Body>[] = [];
  for (const message of batch.messages) {
    if (strikes("drop")) message.ack();
    else if (strikes("hold")) message.retry({ delaySeconds: Math.ceil(random() * LONGEST_HOLD_S) });
    else left.push(message);
    if (!strikes("repeat")) continue;
    if (random() < 0.5) twice.push(message);
    else await queue.send(message.body);
  }
  const beside = (messages: Message<Body>[]) => {
    const given = messages.map((message) => resent(message, queue));
    ctx.waitUntil(consume(batchOf(batch, given), breaking(env)).catch(() => undefined));
  };
  left.sort(() => random() - 0.5);
  if (twice.length > 0) beside(twice);
  if (left.length === 0) return;

  if (strikes("overlap")) {
    for (const message of left) message.ack();
    beside(left);
    return;
  }
  const given = batchOf(batch, left.map(inItsTime));
  if (!strikes("die")) return consume(given, breaking(env));
  await consume(given, broken(env, { callsLeft: Math.floor(random() * LIFE_CALLS) }));
  throw new Error("the consumer died");
}

/** A message that is sent again from a dead-letter queue goes to the original queue. */
function producerOf(name: string, env: Bindings): Queue<Body> {
  const queues = {
    FILES: /files/,
    DELIVERIES_SLOW: /deliveries-slow/,
    DELIVERIES_NEW: /deliveries-new/,
    DELIVERIES: /deliveries/,
  } as const;
  for (const [binding, pattern] of Object.entries(queues))
    if (pattern.test(name)) return env[binding as keyof typeof queues] as Queue<Body>;
  throw new Error(`nothing is sent to the queue ${name}`);
}

function batchOf(batch: MessageBatch<Body>, messages: Message<Body>[]): MessageBatch<Body> {
  return { ...batch, queue: batch.queue, messages, ackAll: () => undefined, retryAll: () => undefined };
}

function inItsTime(message: Message<Body>): Message<Body> {
  return like(message, {
    ack: () => message.ack(),
    retry: (options) => message.retry({ delaySeconds: shortened(options) }),
  });
}

/** The queue no longer knows this message. A retry sends it again. */
function resent(message: Message<Body>, queue: Queue<Body>): Message<Body> {
  return like(message, {
    ack: () => undefined,
    retry: (options) => void queue.send(message.body, { delaySeconds: shortened(options) }),
  });
}

function like(message: Message<Body>, with_: Pick<Message, "ack" | "retry">): Message<Body> {
  const { id, timestamp, body, attempts } = message;
  return { ...message, id, timestamp, body, attempts, ...with_ };
}

/** The queue waits in real time. */
function shortened(options: QueueRetryOptions | undefined): number {
  return Math.ceil((options?.delaySeconds ?? 0) / suffering.orders.clock.speed);
}

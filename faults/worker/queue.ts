/** The queue's own misbehaviour: messages lost, repeated, overtaken; batches that run at a time; consumers that die. */
import type { Bindings } from "../../src/env.ts";
import type { WakeUp } from "../../src/gate/protocol.ts";
import { breaking, broken } from "./bindings.ts";
import { random, strikes, suffering } from "./suffering.ts";

type Consume = (batch: MessageBatch<WakeUp>, env: Bindings) => Promise<void>;

const LONGEST_HOLD_S = 3;
const LIFE_CALLS = 12;

/** `env` is the real one: what is sent again here is sent. */
export async function suffer(
  batch: MessageBatch<WakeUp>,
  env: Bindings,
  ctx: ExecutionContext,
  consume: Consume,
): Promise<void> {
  const left: Message<WakeUp>[] = [];
  const twice: Message<WakeUp>[] = [];
  for (const message of batch.messages) {
    if (strikes("drop")) message.ack();
    else if (strikes("hold")) message.retry({ delaySeconds: Math.ceil(random() * LONGEST_HOLD_S) });
    else left.push(message);
    if (!strikes("repeat")) continue;
    if (random() < 0.5) twice.push(message);
    else await env.FILES.send(message.body);
  }
  const beside = (messages: Message<WakeUp>[]) => {
    const given = messages.map((message) => resent(message, env));
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

function batchOf(batch: MessageBatch<WakeUp>, messages: Message<WakeUp>[]): MessageBatch<WakeUp> {
  return { ...batch, queue: batch.queue, messages, ackAll: () => undefined, retryAll: () => undefined };
}

function inItsTime(message: Message<WakeUp>): Message<WakeUp> {
  return like(message, {
    ack: () => message.ack(),
    retry: (options) => message.retry({ delaySeconds: shortened(options) }),
  });
}

/** The queue has forgotten this message: to be retried it is sent anew. */
function resent(message: Message<WakeUp>, env: Bindings): Message<WakeUp> {
  return like(message, {
    ack: () => undefined,
    retry: (options) => void env.FILES.send(message.body, { delaySeconds: shortened(options) }),
  });
}

function like(message: Message<WakeUp>, with_: Pick<Message, "ack" | "retry">): Message<WakeUp> {
  const { id, timestamp, body, attempts } = message;
  return { ...message, id, timestamp, body, attempts, ...with_ };
}

/** The queue waits by our clock. */
function shortened(options: QueueRetryOptions | undefined): number {
  return Math.ceil((options?.delaySeconds ?? 0) / suffering.orders.clock.speed);
}

/**
 * Whose turn is next. Chains with an input that can be taken stand in line by the class of their first input: calls before timers
 * before transfer tasks, with a minimum share for each. A turn of the loop is asked for when there is one in line; asking twice is
 * asking once.
 */
import type { Runtime } from "../lib/runtime.js";
import type { CachedChain } from "./execution-cache.js";
import { InputClass } from "./pending-input.js";

/** Every so many calls a timer, then a transfer task, gets a turn. */
const SHARE_TIMER = 4;
const SHARE_TRANSFER = 8;

export class ReadyChains {
  private readonly lines: Readonly<Record<InputClass, CachedChain[]>> = {
    [InputClass.CALL]: [],
    [InputClass.TIMER]: [],
    [InputClass.TRANSFER]: [],
  };
  private taken = 0;
  private isTurnScheduled = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly turn: () => void,
  ) {}

  get isEmpty(): boolean {
    const { lines } = this;
    return lines[InputClass.CALL].length + lines[InputClass.TIMER].length + lines[InputClass.TRANSFER].length === 0;
  }

  scheduleTurn(): void {
    if (this.isTurnScheduled) return;
    this.isTurnScheduled = true;
    this.runtime.defer(() => {
      this.isTurnScheduled = false;
      this.turn();
    });
  }

  /** The chain may have input that can be taken now. */
  wake(chain: CachedChain): void {
    const head = chain.queue[0];
    if (head === undefined || chain.isReady || chain.isLoading || chain.isBlocked) return;
    chain.isReady = true;
    this.lines[head.class].push(chain);
    this.scheduleTurn();
  }

  /** It was taken too early: it is the first of the next turn. */
  putBack(chain: CachedChain): void {
    chain.isReady = true;
    this.lines[chain.queue[0]?.class ?? InputClass.CALL].unshift(chain);
    this.scheduleTurn();
  }

  /** Takes the next one out of the line. */
  next(): CachedChain | undefined {
    const chain = this.choose();
    if (chain !== undefined) chain.isReady = false;
    return chain;
  }

  private choose(): CachedChain | undefined {
    const { lines } = this;
    const timers = lines[InputClass.TIMER];
    const transfers = lines[InputClass.TRANSFER];
    this.taken++;
    if (transfers.length > 0 && this.taken % SHARE_TRANSFER === 0) return transfers.shift();
    if (timers.length > 0 && this.taken % SHARE_TIMER === 0) return timers.shift();
    return lines[InputClass.CALL].shift() ?? timers.shift() ?? transfers.shift();
  }
}

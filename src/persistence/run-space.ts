/**
 * The first column of table `run`, and of a RunAddress: the namespace's key for workflows, as it always was; the ids of each other
 * archetype are a space of their own beside it. A namespace that goes takes all its spaces with it.
 */
const SPAN = 2 ** 40;

export const runSpace = (namespaceKey: number, archetype: number): number => namespaceKey + archetype * SPAN;

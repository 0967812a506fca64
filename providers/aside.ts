import type { Properties } from "./lifecycle";

/**
 * What is never compared of a resource (how to reach its hosts, what its texts are made of) crosses the wire and is kept as one
 * text: the engine, the program and this process take each value of a property apart some ten times in a review, and
 * these were half of them.
 */
const KEY = "aside";

/** For the program: the inputs with these put aside. @param keys of inputs that hold plain values only */
export function putAside(inputs: Properties, keys: readonly string[]): Properties {
  const aside = Object.fromEntries(keys.map((key) => [key, inputs[key]]));
  const rest = Object.entries(inputs).filter(([key]) => !keys.includes(key));
  return { ...Object.fromEntries(rest), [KEY]: JSON.stringify(aside) };
}

const read = new Map<string, Properties>();

/** The properties with what was put aside among them; nothing was in the states of the first versions. */
export function unfold({ [KEY]: aside, ...properties }: Properties): Properties {
  if (typeof aside !== "string") return properties;
  let values = read.get(aside);
  if (values === undefined) {
    values = JSON.parse(aside) as Properties;
    read.set(aside, values);
  }
  return { ...values, ...properties };
}

/** The properties as they are kept: what was put aside in `like` is, as it was. */
export function folded(properties: Properties, like: Properties): Properties {
  const { [KEY]: aside } = like;
  if (typeof aside !== "string") return properties;
  const keys = Object.keys(unfold({ [KEY]: aside }));
  const rest = Object.entries(properties).filter(([key]) => !keys.includes(key));
  return { ...Object.fromEntries(rest), [KEY]: aside };
}

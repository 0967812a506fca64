import type { NodeReport } from "../providers/clusterReport";

/** The drawing of a cluster, in SVG user units; templates/drift.html.mustache makes it a picture. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly role: NodeReport["role"];
  /** Full texts, for who points at it. */
  readonly title: string;
  readonly lines: readonly { readonly y: number; readonly text: string; readonly style: "name" | "role" | "more" }[];
}

/** From a node to one that streams from it. */
export interface Arrow {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  readonly label?: { readonly x: number; readonly y: number; readonly text: string };
}

export const BOX = { width: 210, height: 104 } as const;
const GAP = { x: 36, y: 76 } as const;
const MARGIN = 16;
const LONGEST = 25;

/** Who follows whom, from the primary down; in the last row who neither sends nor receives. */
export function drawTopology(nodes: readonly NodeReport[]): Drawing {
  const rows = rowsOf(nodes);
  const widest = Math.max(1, ...rows.map((row) => row.length));
  const width = 2 * MARGIN + widest * BOX.width + (widest - 1) * GAP.x;
  const placed = rows.flatMap((row, level) => {
    const rowWidth = row.length * BOX.width + (row.length - 1) * GAP.x;
    return row.map((node, column) => ({
      node,
      x: (width - rowWidth) / 2 + column * (BOX.width + GAP.x),
      y: MARGIN + level * (BOX.height + GAP.y),
    }));
  });
  const arrows = placed.flatMap(({ node, x, y }) => {
    const from = placed.find((one) => one.node.node === node.follows);
    if (from === undefined || from.y >= y) return [];
    return [arrow(from.x + BOX.width / 2, from.y + BOX.height, x + BOX.width / 2, y, node.lag)];
  });
  const height = 2 * MARGIN + rows.length * BOX.height + Math.max(0, rows.length - 1) * GAP.y;
  return { width, height, boxes: placed.map(({ node, x, y }) => box(node, x, y)), arrows };
}

/** Each node one row below the one it follows. */
function rowsOf(nodes: readonly NodeReport[]): NodeReport[][] {
  const upstreamOf = ({ follows }: NodeReport): NodeReport | undefined => nodes.find(({ node }) => node === follows);
  const isApart = (node: NodeReport): boolean =>
    node.role !== "primary" && upstreamOf(node) === undefined && !nodes.some(({ follows }) => follows === node.node);
  const levelOf = (node: NodeReport, seen: readonly string[]): number => {
    const upstream = upstreamOf(node);
    // Two nodes may say of each other that they follow them while they are being changed.
    return upstream === undefined || seen.includes(upstream.node) ? 0 : 1 + levelOf(upstream, [...seen, upstream.node]);
  };
  const rows: NodeReport[][] = [];
  for (const node of nodes.filter((one) => !isApart(one))) (rows[levelOf(node, [node.node])] ??= []).push(node);
  return [...rows, nodes.filter(isApart)].filter((row) => row.length > 0);
}

function box({ node, host, role, timeline, follows, lag }: NodeReport, x: number, y: number): Box {
  const place = role === "standby" ? (follows === "none" ? "follows nobody" : `follows ${follows}`) : "";
  const behind = role !== "standby" || follows === "none" ? "" : lag === "none" ? ", no lag" : `, ${lag} behind`;
  const texts = [
    { text: node, style: "name" as const },
    { text: `on ${host}`, style: "more" as const },
    { text: `${role.toUpperCase()}, timeline ${timeline}`, style: "role" as const },
    { text: place + behind, style: "more" as const },
  ].filter(({ text }) => text !== "");
  return {
    x,
    y,
    role,
    title: texts.map(({ text }) => text).join(", "),
    lines: texts.map(({ text, style }, line) => ({ y: y + 25 + line * 22, text: fitting(text), style })),
  };
}

function arrow(x1: number, y1: number, x2: number, y2: number, lag: string): Arrow {
  // The head's length is kept free, so that it touches the box and does not cover its border.
  const end = { x2, y2: y2 - 3 };
  const label = lag === "none" ? undefined : { x: (x1 + x2) / 2 + 8, y: (y1 + y2) / 2, text: fitting(lag) };
  return { x1, y1, ...end, ...(label === undefined ? {} : { label }) };
}

function fitting(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

/** The graph of a run: tasks with their work, and edges with their records per second and their backpressure. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { EdgeView, RunView, TaskView } from '../api.js';
import { grouped, percent, rate } from '../format.js';
import { go, replace, route, withParam } from '../router.js';

const [WIDTH, HEIGHT] = [190, 74];
const [GAP_X, GAP_Y, MARGIN] = [96, 22, 10];
const NAME_LENGTH = 24;
/** Of a graph with more tasks, only the part that is in view is drawn. */
const MOST_DRAWN = 200;
const MOST_ROWS = 100;

/** The states of edges in words. */
const WORDS: Readonly<Record<EdgeView['state'], string>> = {
  flowing: 'flowing',
  starved: 'waits for records',
  blocked: 'blocked by the next task',
  idle: 'idle',
  rule: 'runs after it',
};

/** The graph, in which each sub-workflow may be one box. */
export function Graph({ view }: { readonly view: RunView }): JSX.Element {
  const [isOpen, setIsOpen] = useState(false);
  const { outline } = view;
  if (outline === null) return <Picture view={view} />;
  return (
    <>
      <p>
        <button
          type="button"
          aria-pressed={isOpen}
          onClick={() => {
            setIsOpen(!isOpen);
          }}
        >
          {isOpen ? 'One box per sub-workflow' : 'Tasks of sub-workflows'}
        </button>
      </p>
      <Picture view={isOpen ? view : outlined(view, outline)} />
    </>
  );
}

/** The view with the tasks and the edges of its outline. */
function outlined(view: RunView, { layers, rows, places, edges }: NonNullable<RunView['outline']>): RunView {
  const placeOf = new Map(places.map(({ task, layer, row }) => [task, { layer, row }]));
  let place = '';
  const busiest = new Map<string, TaskView>();
  for (const task of view.tasks) {
    if (task.depth === 0) place = task.name;
    const known = busiest.get(place);
    if (known === undefined || task.busy > known.busy) busiest.set(place, task);
  }
  const tasks = view.tasks.flatMap((task) => {
    const at = placeOf.get(task.name);
    if (at === undefined) return [];
    const { busy, blocked, waiting } = busiest.get(task.name) ?? task;
    return [{ ...task, ...at, ...(task.whole && { ...counts(task), busy, blocked, waiting }) }];
  });
  const hot = view.bottleneck && [...busiest].find(([, { name }]) => name === view.bottleneck?.task)?.[0];
  const bottleneck = view.bottleneck && { ...view.bottleneck, task: hot ?? view.bottleneck.task };
  return { ...view, layers, rows, tasks, edges, bottleneck };
}

type Counts = Pick<TaskView, 'in' | 'out' | 'skipped' | 'deadLettered' | 'inFlight'>;

/** The counts of the task, or of the sub-workflow that ends with it. */
function counts({ whole, ...task }: TaskView): Counts {
  const { in: received, out, skipped, deadLettered, inFlight } = whole ?? task;
  return { in: received, out, skipped, deadLettered, inFlight };
}

function kindOf({ kind, whole }: TaskView): string {
  return whole === null ? kind : `${kind} of ${whole.tasks} tasks`;
}

interface Corner {
  readonly x: number;
  readonly y: number;
}

/** Left, top, right and bottom of the part of a picture that is in view, in its own units. */
type Part = readonly [left: number, top: number, right: number, bottom: number];

const EVERYTHING: Part = [-Infinity, -Infinity, Infinity, Infinity];

/**
 * The scales of the picture. Undefined stands for the width of the page, within limits at which texts can be read, and for
 * the full size of a large graph.
 */
const SCALES = [0.25, 0.35, 0.5, 0.7, 1, 1.4, 2] as const;
const LEAST_FIT = 0.6;

function Picture({ view }: { readonly view: RunView }): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const given = route.value.query.get('size');
  const chosen = SCALES.find((one) => String(one) === given);
  const isLarge = view.tasks.length > MOST_DRAWN;
  const scale = chosen ?? (isLarge ? 1 : undefined);
  const part = usePart(frame, isLarge, scale ?? 1);
  const width = view.layers * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
  const height = view.rows * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN;
  const corners = new Map<string, Corner>(view.tasks.map(({ name, layer, row }) => [name, cornerAt({ layer, row })]));
  const fastest = view.edges.reduce((most, { perSecond }) => Math.max(most, perSecond), 1);
  const cornerOf = (name: string): Corner => corners.get(name) ?? { x: 0, y: 0 };
  const isSeen = (corners: readonly Corner[]): boolean => {
    const [left, top, right, bottom] = part;
    const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
    const isBeside = Math.min(...xs) > right || Math.max(...xs) + WIDTH < left;
    return !isBeside && Math.min(...ys) <= bottom && Math.max(...ys) + HEIGHT >= top;
  };
  const centre = useRef<readonly [x: number, y: number] | undefined>(undefined);
  const resize = (to: number | undefined): void => {
    const element = frame.current;
    if (element === null) return;
    const { scrollLeft, scrollTop, clientWidth, clientHeight, scrollWidth, scrollHeight } = element;
    centre.current = [(scrollLeft + clientWidth / 2) / scrollWidth, (scrollTop + clientHeight / 2) / scrollHeight];
    replace(withParam('size', to === undefined ? '' : String(to)));
  };
  useLayoutEffect(() => {
    // What was in the middle stays there.
    const element = frame.current;
    if (element === null || centre.current === undefined) return;
    const [x, y] = centre.current;
    element.scrollLeft = x * element.scrollWidth - element.clientWidth / 2;
    element.scrollTop = y * element.scrollHeight - element.clientHeight / 2;
  }, [chosen]);
  /** One step larger or smaller. The step from the fitted width begins at the scale that it has. */
  const zoom = (by: 1 | -1): void => {
    const now = scale ?? (frame.current?.querySelector('svg')?.clientWidth ?? width) / width;
    const steps = by > 0 ? SCALES.filter((one) => one > now * 1.05) : SCALES.filter((one) => one < now / 1.05);
    resize((by > 0 ? steps[0] : steps.at(-1)) ?? chosen);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '+' || event.key === '=') zoom(1);
    else if (event.key === '-') zoom(-1);
    else if (event.key === '0') resize(undefined);
    else return;
    event.preventDefault();
  };
  const size =
    scale === undefined
      ? { style: { width: '100%', minWidth: `${Math.round(width * LEAST_FIT)}px`, maxWidth: `${width}px` } }
      : { width: width * scale, height: height * scale };
  return (
    <div class="picture">
      <div class="zoom" role="group" aria-label="Size of the graph">
        <button
          type="button"
          aria-label="Smaller"
          title="Smaller (-)"
          onClick={() => {
            zoom(-1);
          }}
        >
          −
        </button>
        <button
          type="button"
          aria-label="Larger"
          title="Larger (+)"
          onClick={() => {
            zoom(1);
          }}
        >
          +
        </button>
        <button
          type="button"
          title={isLarge ? 'Full size (0)' : 'The width of the page, if texts can be read (0)'}
          onClick={() => {
            resize(undefined);
          }}
        >
          {isLarge ? 'full size' : 'fit'}
        </button>
      </div>
      <div
        class="graph"
        tabIndex={0}
        role="region"
        aria-label="Graph of the tasks"
        aria-description={`Keys: arrows move, plus and minus change the size, 0 ${isLarge ? 'shows it in full size' : 'fits it to the width of the page'}`}
        ref={frame}
        onKeyDown={onKey}
      >
        <svg
          {...size}
          viewBox={`0 0 ${width} ${height}`}
          role="group"
          aria-label={`Graph of ${view.tasks.length} tasks`}
        >
          {view.edges
            .map((edge) => ({ edge, line: [cornerOf(edge.from), ...edge.way.map(cornerAt), cornerOf(edge.to)] }))
            .filter(({ line }) => isSeen(line))
            .map(({ edge, line }) => (
              <Edge key={`${edge.from}\n${edge.to}`} edge={edge} line={line} fastest={fastest} />
            ))}
          {view.tasks
            .filter(({ name }) => isSeen([cornerOf(name)]))
            .map((task) => (
              <Task
                key={task.name}
                task={task}
                {...cornerOf(task.name)}
                isHot={task.name === view.bottleneck?.task && view.outcome === null}
              />
            ))}
        </svg>
      </div>
    </div>
  );
}

/** The upper left corner of a box, or of the place that an edge passes. */
function cornerAt({ layer, row }: { readonly layer: number; readonly row: number }): Corner {
  return { x: MARGIN + layer * (WIDTH + GAP_X), y: MARGIN + row * (HEIGHT + GAP_Y) };
}

/** The part of a large picture that is in view, with some space around it, so that short ways need no drawing. */
function usePart(frame: { readonly current: HTMLDivElement | null }, isLarge: boolean, scale: number): Part {
  const [part, setPart] = useState<Part>([0, 0, 0, 0]);
  useEffect(() => {
    const element = frame.current;
    if (!isLarge || element === null) return undefined;
    const look = (): void => {
      const { scrollLeft, scrollTop, clientWidth, clientHeight } = element;
      setPart((old) => {
        const [left, top] = [scrollLeft / scale, scrollTop / scale];
        const seen: Part = [left, top, left + clientWidth / scale, top + clientHeight / scale];
        const isInside = seen[0] >= old[0] && seen[1] >= old[1] && seen[2] <= old[2] && seen[3] <= old[3];
        return isInside ? old : [seen[0] - WIDTH, seen[1] - HEIGHT * 4, seen[2] + WIDTH, seen[3] + HEIGHT * 4];
      });
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [isLarge, scale]);
  return isLarge ? part : EVERYTHING;
}

interface EdgeProps {
  readonly edge: EdgeView;
  /** The box that the edge comes from, the places that it passes, and the box that it goes to. */
  readonly line: readonly Corner[];
  readonly fastest: number;
}

/** A curve in each gap between two layers, and a straight line through each layer between. */
function pathThrough(line: readonly Corner[]): string {
  const middle = ({ y }: Corner): number => y + HEIGHT / 2;
  return line.slice(1).reduce((path, corner, index) => {
    const before = line[index] ?? corner;
    const [x1, x2] = [before.x + WIDTH, corner.x];
    const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
    const start = index === 0 ? `M${x1} ${middle(before)}` : `H${x1}`;
    return `${path}${start}C${x1 + bend} ${middle(before)} ${x2 - bend} ${middle(corner)} ${x2} ${middle(corner)}`;
  }, '');
}

function Edge({ edge, line, fastest }: EdgeProps): JSX.Element {
  const path = pathThrough(line);
  // The rate stands in the first gap, where the edge leaves its task.
  const [first, second] = line as [Corner, Corner];
  const labelAt = { x: (first.x + WIDTH + second.x) / 2, y: (first.y + second.y + HEIGHT) / 2 - 8 };
  const thickness = 2 + 6 * (edge.perSecond / fastest);
  const label =
    edge.state === 'rule'
      ? `${edge.to} runs after ${edge.from}`
      : `${edge.from} to ${edge.to}: ${rate(edge.perSecond)}, ${WORDS[edge.state]}, ${percent(edge.fill)} of the window waits, ${grouped(edge.records)} records${edge.isOptional ? ', optional' : ''}`;
  return (
    <g role="img" aria-label={label}>
      <title>{label}</title>
      <path class={`pipe ${edge.state} ${edge.isOptional ? 'optional' : ''}`} d={path} stroke-width={thickness + 4} />
      {/* Waiting records fill the pipe from the end of the receiver. */}
      <path
        class="fill"
        d={path}
        stroke-width={thickness}
        pathLength={100}
        stroke-dasharray={`${edge.fill * 100} 200`}
        stroke-dashoffset={edge.fill * 100 - 100}
      />
      {edge.perSecond > 0 && (
        <text class="rate" {...labelAt} text-anchor="middle">
          {rate(edge.perSecond)}
          {edge.state === 'blocked' ? ' blocked' : ''}
        </text>
      )}
    </g>
  );
}

interface TaskProps {
  readonly task: TaskView;
  readonly x: number;
  readonly y: number;
  readonly isHot: boolean;
}

function Task({ task, x, y, isHot }: TaskProps): JSX.Element {
  const name = task.name.length > NAME_LENGTH ? `${task.name.slice(0, NAME_LENGTH - 1)}…` : task.name;
  const letters = task.deadLettered > 0 ? ` · ${grouped(task.deadLettered)} dead` : '';
  const label = `${task.name}, ${task.kind}${isHot ? ', bottleneck' : ''}: ${grouped(task.out)} out${letters}, ${percent(task.busy)} busy, ${percent(task.blocked)} blocked`;
  const inner = WIDTH - 2;
  return (
    <g role="img" aria-label={label}>
      <title>{label}</title>
      <rect class={`box ${isHot ? 'hot' : ''}`} x={x} y={y} width={WIDTH} height={HEIGHT} rx="8" />
      <text class="name" x={x + 11} y={y + 21}>
        {name}
      </text>
      <text class="quiet" x={x + 11} y={y + 38}>
        {isHot ? 'bottleneck' : kindOf(task)}
        {letters}
      </text>
      <text class="quiet" x={x + 11} y={y + 55}>
        {grouped(task.out)} out{task.iterations === null ? '' : ` · ${grouped(task.iterations)} iterations`}
        {task.inFlight > 0 ? ` · ${grouped(task.inFlight)} in flight` : ''}
      </text>
      <rect class="busy" x={x + 1} y={y + HEIGHT - 7} width={inner * task.busy} height="6" />
      <rect class="stuck" x={x + 1 + inner * task.busy} y={y + HEIGHT - 7} width={inner * task.blocked} height="6" />
    </g>
  );
}

function figuresOf({ in: received, out, skipped, deadLettered, inFlight }: Counts): number[] {
  return [received, out, skipped, deadLettered, inFlight];
}

/** The same figures as a table; of many tasks, one page, or those with a text in their names. */
export function TaskTable({ view }: { readonly view: RunView }): JSX.Element {
  const { query } = route.value;
  const find = (query.get('find') ?? '').toLowerCase();
  const found = find === '' ? view.tasks : view.tasks.filter(({ name }) => name.toLowerCase().includes(find));
  const last = Math.max(0, Math.ceil(found.length / MOST_ROWS) - 1);
  const page = Math.min(last, Math.max(0, Math.floor(Number(query.get('page') ?? 1)) - 1 || 0));
  const shown = found.slice(page * MOST_ROWS, (page + 1) * MOST_ROWS);
  return (
    <>
      {view.tasks.length > MOST_ROWS && (
        <form
          class="actions"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
          }}
        >
          <label for="find">Find a task</label>
          <input
            id="find"
            type="search"
            value={query.get('find') ?? ''}
            onChange={({ currentTarget }) => {
              go(withParam('find', currentTarget.value));
            }}
          />
          <span role="status">
            {found.length === 0
              ? 'No task has this text in its name'
              : `${grouped(page * MOST_ROWS + 1)} to ${grouped(page * MOST_ROWS + shown.length)} of ${grouped(found.length)} tasks`}
          </span>
          {page > 0 && <a href={`#${withParam('page', String(page))}`}>← before</a>}
          {page < last && <a href={`#${withParam('page', String(page + 2))}`}>after →</a>}
        </form>
      )}
      <Rows tasks={shown} isOver={view.outcome !== null} />
    </>
  );
}

function Rows({ tasks, isOver }: { readonly tasks: readonly TaskView[]; readonly isOver: boolean }): JSX.Element {
  const isRemembering = tasks.some(({ remembered }) => remembered !== null);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Figures of the tasks">
      <table>
        <thead>
          <tr>
            {[
              'task',
              'kind',
              'in',
              'out',
              'skipped',
              'dead letters',
              'in flight',
              ...(isRemembering ? ['remembered'] : []),
              'records/s',
              'busy',
              'waiting',
              'blocked',
              'p50',
              'p95',
            ].map((title, index) => (
              <th class={index > 1 ? 'number' : ''} scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.name}>
              <th scope="row" style={{ paddingLeft: `${task.depth * 1.4 + 0.6}rem` }}>
                {task.name}
              </th>
              <td>{kindOf(task)}</td>
              {figuresOf(counts(task)).map((count, index) => (
                <td class="number" key={index}>
                  {grouped(count)}
                </td>
              ))}
              {isRemembering && <td class="number">{task.remembered === null ? '' : grouped(task.remembered)}</td>}
              <td class="number">{rate(isOver ? task.averagePerSecond : task.perSecond)}</td>
              {[task.busy, task.waiting, task.blocked].map((share, index) => (
                <td class="number" key={index}>
                  {percent(share)}
                </td>
              ))}
              {[task.p50, task.p95].map((ms, index) => (
                <td class="number" key={index}>
                  {ms === null ? '' : `${ms < 10 ? ms.toFixed(1) : grouped(ms)} ms`}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

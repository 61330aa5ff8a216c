/**
 * The workflows of a place as plain data, for programs that must not load them: loading a workflow runs its file.
 *
 * Guarantees: the facts survive JSON; a file that does not load is reported, and hides no other.
 */
import { describeThrown } from '../../model/errors.js';
import type { Json } from '../../model/json.js';
import type { Schedule } from '../../model/schedule.js';
import type { ServingRules } from '../../model/serving.js';
import type { Trigger } from '../../model/trigger.js';
import type { JobPlace } from '../place.js';
import { findWorkflows, type LoadableWorkflow } from './load-workflow.js';

/** Facts about one workflow. */
export interface WorkflowFacts {
  readonly name: string;
  readonly description: string;
  /** 'registered', or the path of the file. */
  readonly from: string;
  readonly schedules: Readonly<Record<string, Schedule>>;
  readonly triggers: Readonly<Record<string, Trigger>>;
  readonly serving: ServingRules;
  /** The keys of its configuration that users of a server may set. */
  readonly params: readonly string[];
  /**
   * The JSON Schema of its configuration as it is given; null if its schema cannot be converted, or if there is none.
   */
  readonly configSchema: Json;
}

export interface DescribedWorkflows {
  readonly workflows: readonly WorkflowFacts[];
  /** One sentence per file that did not load. */
  readonly problems: readonly string[];
}

export async function describeWorkflows(place: JobPlace): Promise<DescribedWorkflows> {
  const { found, broken } = await findWorkflows(place);
  return {
    workflows: found.map(({ workflow, from }) => ({
      name: workflow.name,
      description: workflow.description,
      from,
      schedules: workflow.definition.schedules ?? {},
      triggers: workflow.definition.triggers ?? {},
      serving: workflow.definition.serving ?? {},
      params: workflow.definition.params ?? [],
      configSchema: schemaOf(workflow),
    })),
    problems: broken.map(describeThrown),
  };
}

/** The part of a Standard Schema that converts it to JSON Schema. */
interface Convertible {
  readonly '~standard': { readonly jsonSchema?: { input(options: { readonly target: 'draft-2020-12' }): unknown } };
}

function schemaOf({ definition }: LoadableWorkflow): Json {
  const schema = definition.config as unknown as Convertible | undefined;
  try {
    return (schema?.['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) ?? null) as Json;
  } catch {
    // A schema may have parts, such as transformations, that JSON Schema cannot express.
    return null;
  }
}

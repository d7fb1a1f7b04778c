import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';

export const MOST_NAME_SIGNS = 60;

const LAST_SIGNS = 4;

/** What its user calls it, else what it is. */
export const calledOf = ({ name, image_name }: Session): string => name || image_name;

/** What tells it from others of the same name: its job, or the end of its id. */
const numberOf = ({ desktops }: Dictionary, { slurm_job_id, session_id }: Session): string =>
  slurm_job_id ? desktops.job(slurm_job_id) : desktops.session(session_id.slice(-LAST_SIGNS));

/** Which desktop a button is for, after the button's own word. */
export const whichOf = (t: Dictionary, session: Session): string =>
  t.desktops.which(calledOf(session), numberOf(t, session));

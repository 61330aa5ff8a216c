/**
 * The shell script between a run and `spark-submit`. It keeps the process id of the job before the job begins, and its
 * exit code, so that another process can find both.
 *
 * Guarantees: with a leash, the job ends when the process of the run ends, whatever the reason: first the job is asked
 * to end, and after `GRACE_S` it is killed, with all processes that it has started.
 */

/** The time within which a job must end after it was asked to, in seconds. */
export const GRACE_S = 10;

/**
 * `$0` is the folder of the job, and the arguments are the command. The script leads a process group of its own.
 * `LEASH` is empty, or the number of a file descriptor that is closed when the process of the run ends.
 *
 * A signal that arrives during `wait` ends it, although the job still runs. A trap with a command is not inherited by
 * the job.
 */
export const SUPERVISOR = `
trap : TERM INT HUP
leash=
echo $$ > "$0/pid.part" && mv "$0/pid.part" "$0/pid" || exit 1
"$@" > "$0/stdout.log" 2> "$0/stderr.log" < /dev/null 3<&- &
job=$!
if [ -n "$LEASH" ]; then
  (trap : TERM INT HUP; cat <&3 > /dev/null; kill -TERM 0; sleep ${GRACE_S}; kill -KILL 0) &
  leash=$!
fi
wait $job; code=$?
while kill -0 $job 2> /dev/null; do wait $job; code=$?; done
echo $code > "$0/exit.part" && mv "$0/exit.part" "$0/exit"
[ -z "$leash" ] || kill -KILL $leash 2> /dev/null
kill -TERM 0
exit 0
`;

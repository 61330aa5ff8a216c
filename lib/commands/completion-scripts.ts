/**
 * The completion scripts of the shells. Each script runs the command that is being typed, with `completion reply` and
 * the words up to the cursor, to get answers. An answer is a line with a value and, if it has one, a tab and its
 * description. The line `:files` stands for the files that the shell finds.
 */

/** The shells with a completion script. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** The line that stands for files. */
export const FILES = ':files';

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of millrace for bash. In ~/.bashrc: source <(millrace completion bash)
_millrace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" line file
  # bash splits --option=value at the sign.
  [[ "$current" == "=" ]] && current=""
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ "$line" == "${FILES}" ]]; then
      compopt -o filenames 2> /dev/null
      while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <("\${COMP_WORDS[0]}" completion reply "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F _millrace millrace
`,
  zsh: `#compdef millrace
# Completion of millrace for zsh. In ~/.zshrc, behind compinit: source <(millrace completion zsh)
_millrace() {
  local line value
  local -a answers
  for line in "\${(@f)$("\${words[1]}" completion reply "\${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
    if [[ "$line" == "${FILES}" ]]; then
      _files
    elif [[ -n "$line" ]]; then
      value="\${line%%$'\\t'*}"
      answers+=("\${value//:/\\\\:}\${\${line#$value}/$'\\t'/:}")
    fi
  done
  (( \${#answers} )) && _describe millrace answers
}
compdef _millrace millrace
`,
  fish: `# Completion of millrace for fish. In ~/.config/fish/config.fish: millrace completion fish | source
function __millrace_answers
  set -l typed (commandline --tokenize --cut-at-cursor --current-process)
  set -l current (commandline --current-token --cut-at-cursor)
  for line in ($typed[1] completion reply $typed[2..-1] "$current" 2> /dev/null)
    if test "$line" = "${FILES}"
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete --command millrace --no-files --arguments '(__millrace_answers)'
`,
};

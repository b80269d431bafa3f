// Completion of the command line in shells: commands, options, their values, file names.
#pragma once

#include <span>
#include <string>

#include "launcher/command.h"

namespace edt {

// To be sourced, or put into bash-completion's folder as "edt".
std::string bash_completion(std::span<const Command> commands);
// To be put into a folder of zsh's $fpath as "_edt".
std::string zsh_completion(std::span<const Command> commands);

}  // namespace edt

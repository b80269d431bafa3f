// The options of commands, asked of the commands themselves.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/options/options.h"
#include "launcher/command.h"

namespace edt {

// Calls `visit` with the options that the command declares; nothing else of it is run.
void visit_options(const Command& command, const std::function<void(OptionSet&)>& visit);

CommandDescription describe(const Command& command);
std::vector<CommandDescription> describe(std::span<const Command> commands);

// Each group once, in the order of the commands.
std::vector<std::string_view> groups_of(std::span<const Command> commands);
// Whether a command has the name of the group: "evaluate" beside "evaluate reference".
bool is_command(std::span<const Command> commands, std::string_view group);

}  // namespace edt

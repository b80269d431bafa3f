#include "launcher/help/command_options.h"

#include <algorithm>
#include <sstream>

#include "core/base/assert.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {

void visit_options(const Command& command, const std::function<void(OptionSet&)>& visit) {
  std::ostringstream nothing;
  const auto alone = make_self_communicator();
  CommandContext context{nothing, nothing, *alone};
  int visits = 0;
  context.describe = [&](OptionSet& options) {
    ++visits;
    visit(options);
  };
  command.run({}, context);
  EDT_ASSERT(visits == 1);
}

CommandDescription describe(const Command& command) {
  CommandDescription description;
  visit_options(command, [&](OptionSet& options) { description = options.description(); });
  return description;
}

std::vector<CommandDescription> describe(std::span<const Command> commands) {
  std::vector<CommandDescription> all;
  for (const Command& command : commands) all.push_back(describe(command));
  return all;
}

std::vector<std::string_view> groups_of(std::span<const Command> commands) {
  std::vector<std::string_view> groups;
  for (const Command& command : commands) {
    const std::string_view group = command_group(command.name);
    if (!group.empty() && std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  return groups;
}

bool is_command(std::span<const Command> commands, std::string_view group) {
  return std::ranges::find(commands, group, &Command::name) != commands.end();
}

}  // namespace edt

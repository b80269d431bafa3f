#include "core/options/renamed.h"

#include <array>

namespace edt {
namespace {

constexpr std::array kRenamed{
    RenamedOption{"bench ops", "backend", "device", "0.1.0"},
};

}  // namespace

std::span<const RenamedOption> renamed_options() { return kRenamed; }

std::string_view present_name(std::string_view command, std::string_view name) {
  for (const RenamedOption& option : kRenamed) {
    const bool same_command = option.command.empty() || option.command == command;
    if (same_command && option.old_name == name) return option.name;
  }
  return {};
}

}  // namespace edt

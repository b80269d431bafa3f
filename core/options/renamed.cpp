#include "core/options/renamed.h"

#include <array>

namespace edt {
namespace {

constexpr std::array kRenamed{
    RenamedOption{"bench ops", "backend", "device", "0.1.0"},
    RenamedOption{"", "parallel.gather-ahead", "parallel.weight-prefetch", "0.2.0"},
    RenamedOption{"", "parallel.gradient-wire", "parallel.reduce-dtype", "0.2.0"},
    RenamedOption{"", "run.products", "run.gemm-algos", "0.2.0"},
    RenamedOption{"", "products", "gemm-algos", "0.2.0"},
    RenamedOption{"ckpt info", "pieces", "fragments", "0.2.0"},
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

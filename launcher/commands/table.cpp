#include "launcher/commands/table.h"

#include <array>

namespace edt {

std::span<const Command> command_table() {
  static constexpr std::array kCommands{
      Command{"train", "train a model, or go on where a run stopped", train},
      Command{"sample", "make pictures from a checkpoint", sample},
      Command{"bench step", "training steps against the machine's ceiling", bench_step},
      Command{"bench sampling", "sampler steps against the machine's ceiling", bench_sampling},
      Command{"doctor", "what this machine has, and what would fail on it", doctor},
  };
  return kCommands;
}

}  // namespace edt

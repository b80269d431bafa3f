// Commands that fail on some ranks, run as the program runs its own: failing_program COMMAND [RANK]
#include <iostream>
#include <thread>

#include "core/base/error.h"
#include "launcher/command.h"
#include "launcher/world.h"

namespace {

using Args = std::span<const std::string>;

bool is_named(Args args, const edt::Communicator& world) {
  return std::to_string(world.rank()) == args[0];
}

int all_fail(Args, edt::CommandContext&) { edt::fail<edt::UsageError>("here", "all\nof them"); }

int one_fails(Args args, edt::CommandContext& context) {
  const auto data = context.world.split(0, 0, "data");
  if (is_named(args, context.world)) edt::fail<edt::DataError>("here", "no file on this node");
  data->barrier("after the files");
  return edt::kDone;
}

int one_does_not(Args args, edt::CommandContext& context) {
  if (!is_named(args, context.world)) edt::fail<edt::DataError>("here", "no file on this node");
  context.world.barrier("after the files");
  return edt::kDone;
}

int each_fails(Args, edt::CommandContext& context) {
  edt::fail<edt::DataError>("here", "error {}", context.world.rank());
}

// All find the same, one after the other: rank 0 is past a broadcast in which the last rank waits
// for others that are late.
int one_after_the_other(Args, edt::CommandContext& context) {
  const edt::Communicator& world = context.world;
  const int late = world.is_root() ? 0 : world.size() - world.rank();
  std::this_thread::sleep_for(std::chrono::milliseconds(400 * late));
  context.world.broadcast("configuration", 0, "configuration");
  edt::fail<edt::DataError>("here", "all of them");
}

// The others neither fail nor wait for anybody.
int fails_alone(Args args, edt::CommandContext& context) {
  context.run_started = true;
  if (is_named(args, context.world)) edt::fail<edt::DataError>("here", "alone");
  std::this_thread::sleep_for(std::chrono::minutes(10));
  return edt::kDone;
}

int disk_is_full(Args, edt::CommandContext& context) {
  context.run_started = context.resumable = true;
  edt::fail<edt::SystemError>("disk", "full");
}

constexpr edt::Command kCommands[] = {
    {"all-fail", "", all_fail, edt::OnRanks::kAll},
    {"one-fails", "", one_fails, edt::OnRanks::kAll},
    {"one-does-not", "", one_does_not, edt::OnRanks::kAll},
    {"each-fails", "", each_fails, edt::OnRanks::kAll},
    {"one-after-the-other", "", one_after_the_other, edt::OnRanks::kAll},
    {"fails-alone", "", fails_alone, edt::OnRanks::kAll},
    {"disk-is-full", "", disk_is_full, edt::OnRanks::kAll},
    {"root-fails", "", all_fail, edt::OnRanks::kRoot}};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  edt::World world;
  edt::CommandContext context{std::cout, std::cerr, world.ranks()};
  context.errors = world.errors();
  return edt::run_program(args, kCommands, context);
}

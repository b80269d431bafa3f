#include <omp.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <streambuf>
#include <string>
#include <vector>

#include "core/base/standard_streams.h"
#include "core/storage/partial_file.h"
#include "launcher/command.h"
#include "launcher/commands/table.h"
#include "launcher/launch_check.h"
#include "launcher/signals.h"
#include "launcher/world.h"

namespace {

// Swallows what ranks other than 0 would print too.
class NoOutput final : public std::streambuf {
  int overflow(int character) override { return traits_type::not_eof(character); }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

// Sets of many shards have many files open. Some systems give 1024 at first and allow far more.
void raise_limit_of_files() {
  constexpr rlim_t kEnough = 1 << 16;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(std::span<const std::string> args) {
  // A request to stop that comes while ranks are being connected is as good as any other.
  std::optional<edt::StopSignals> signals;
  const bool is_encoding = args.size() > 1 && args[0] == "data" && args[1] == "encode";
  if (is_encoding || (!args.empty() && args[0] == "train")) signals.emplace();
  edt::World world;
  edt::Communicator& ranks = world.ranks();
  if (ranks.size() > 1) {
    const int threads = world.threads_per_rank();
    if (!std::getenv("OMP_NUM_THREADS")) omp_set_num_threads(threads);
  }
  if (!ranks.is_root()) edt::log::set_console_level(edt::log::Level::kWarning);
  NoOutput nothing;
  std::ostream silent(&nothing);
  edt::CommandContext context{ranks.is_root() ? std::cout : silent, std::cerr, ranks};
  if (signals) context.signals = &*signals;
  context.errors = world.errors();
  return edt::run_program(args, edt::command_table(), context);
}

}  // namespace

int main(int argc, char** argv) {
  edt::take_standard_streams();
  raise_limit_of_files();
  edt::remove_partial_files_on_signals();
  signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error of write(), like a full disk
  const std::vector<std::string> args(argv + 1, argv + argc);
  try {
    return run(args);
  } catch (const edt::UsageError& error) {  // no ranks, so not yet run_program's; all find the same
    if (edt::Launch::of_this_process().first) {
      std::cerr << "edt: error: " << error.what() << std::endl;
    }
    return edt::kWrongUsage;
  } catch (const std::exception& error) {
    std::cerr << "edt: error: " << error.what() << std::endl;
    return edt::kFailed;
  }
}

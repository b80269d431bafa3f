// Commands: functions (arguments, context) -> exit status, found by name in one explicit table.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "core/base/log.h"
#include "launcher/exit_status.h"
#include "parallel/comm/communicator.h"

namespace edt {

class ErrorAgreement;
class OptionSet;
class StopSignals;

struct CommandContext {
  std::ostream& out;    // results; goes nowhere on ranks other than 0
  std::ostream& error;  // the one line about what went wrong
  Communicator& world;  // all ranks that were started together
  // Of a command that stops on request; in place before the ranks are connected.
  const StopSignals* signals = nullptr;
  // Set once work has begun: from then on bad input is a failed run, not wrong usage.
  bool run_started = false;
  // What is printed is what the command is for; where not (training), it does its work without.
  bool output_is_result = true;
  bool quiet = false;  // --quiet: warnings and errors only
  log::Level log_level = log::Level::kInfo;
  // Set by who wants to know what commands can be told: read_options() hands it over, and the
  // command does nothing else.
  std::function<void(OptionSet&)> describe;
  // Set by a command that goes on from where it was when it is started again: a full disk, say, has
  // then broken off a run in which nothing is wrong.
  bool resumable = false;
  ErrorAgreement* errors = nullptr;  // of several ranks: says once what has gone wrong

  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    out << fmt::format(format, std::forward<Args>(args)...);
  }
  // What was done, of commands whose result is a file: nothing with --quiet.
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    if (!quiet) print(format, std::forward<Args>(args)...);
  }
};

// What a command does when several ranks were started.
enum class OnRanks {
  kRefused,  // it would do the same on each of them
  kRoot,     // runs on rank 0, the others wait for its end
  kAll,      // shares the work
};

struct Command {
  std::string_view name;  // one word, or a group and a word: "data synth"
  std::string_view summary;
  int (*run)(std::span<const std::string> args, CommandContext& context);
  OnRanks on_ranks = OnRanks::kRefused;
};

// Adds the options every command has (--quiet, --log-level), reads `args` and applies them.
// False when --help was asked for and has been printed, or where the options are only described.
bool read_options(OptionSet& options, std::span<const std::string> args, CommandContext& context);

// "bench" of "bench step"; empty for a command of one word.
std::string_view command_group(std::string_view command);
// All commands, or those of one group, a line each.
std::string overview(std::span<const Command> commands, std::string_view group);
// Throws UsageError, with the nearest name.
[[noreturn]] void unknown_command(std::string_view given, std::span<const Command> commands);

// Finds the command and runs it. The only place where exceptions end: they become one line on
// context.error and an exit status. Of several ranks one prints that line, with its name where not
// all have found the same, and the whole job ends with that status.
int run_program(std::span<const std::string> args, std::span<const Command> commands,
                CommandContext& context);

}  // namespace edt

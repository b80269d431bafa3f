#include "launcher/command.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/base/standard_streams.h"
#include "core/options/nearest.h"
#include "core/options/options.h"
#include "core/storage/access.h"
#include "launcher/error_agreement.h"
#include "launcher/version.h"

namespace edt {
namespace {

int run_command(const Command& command, std::span<const std::string> args,
                CommandContext& context) {
  Communicator& world = context.world;
  if (world.size() == 1 || command.on_ranks == OnRanks::kAll) return command.run(args, context);
  require<UsageError>(command.on_ranks == OnRanks::kRoot, command.name,
                      "runs on one rank, the launcher started {}", world.size());
  int status = world.is_root() ? command.run(args, context) : kDone;
  world.broadcast(view_of(std::span<int>(&status, 1), {1}), 0, "exit status");
  return status;
}

int dispatch(std::span<const std::string> args, std::span<const Command> commands,
             CommandContext& context) {
  require<UsageError>(!args.empty(), "edt", "no command given; edt --help lists them");
  const auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (is_help(args[0])) {
    context.out << overview(commands, "");
    return kDone;
  }
  if (args[0] == "--version") {
    context.out << version_text();
    return kDone;
  }
  const auto named = [&](std::string_view name) {
    return std::find_if(commands.begin(), commands.end(),
                        [&](const Command& command) { return command.name == name; });
  };
  // "evaluate reference" before "evaluate": a group may have a command of its own name.
  const bool is_longer = args.size() > 1 && named(args[0] + " " + args[1]) != commands.end();
  if (const auto found = named(args[0]); found != commands.end() && !is_longer) {
    return run_command(*found, args.subspan(1), context);
  }
  const bool is_group = std::any_of(commands.begin(), commands.end(), [&](const Command& command) {
    return !args[0].empty() && command_group(command.name) == args[0];
  });
  if (!is_group) unknown_command(args[0], commands);
  require<UsageError>(args.size() > 1, "edt", "{0} needs a command; edt {0} --help lists them",
                      args[0]);
  if (is_help(args[1])) {
    context.out << overview(commands, args[0]);
    return kDone;
  }
  const std::string name = args[0] + " " + args[1];
  const auto found = named(name);
  if (found == commands.end()) unknown_command(name, commands);
  return run_command(*found, args.subspan(2), context);
}

[[noreturn]] void fail_output() {
  const int code = standard_output_error();
  fail_for<SystemError>(code, "edt", "standard output cannot be written{}",
                        code == 0 ? "" : ": " + std::generic_category().message(code));
}

int report(CommandContext& context, std::string_view message, int status) {
  log::flush();
  context.out.flush();
  context.error.clear();  // it may take this line, after some that it did not
  // Before a run begins ranks go through the same code, and meet: time enough for all to come.
  const Seconds grace(context.run_started ? 2 : 10);
  if (context.errors != nullptr) context.errors->end(message, status, grace);
  const RankError own{0, context.world.name(), std::string(message), status};
  context.error << error_line({own}, context.world.size()) << std::endl;
  if (context.world.size() > 1) context.world.abort(status);
  return status;
}

}  // namespace

std::string_view command_group(std::string_view command) {
  const auto space = command.find(' ');
  return space == command.npos ? std::string_view{} : command.substr(0, space);
}

std::string overview(std::span<const Command> commands, std::string_view group) {
  std::string text = fmt::format("Usage: edt {}COMMAND [options]\n\nCommands:\n",
                                 group.empty() ? "" : std::string(group) + " ");
  for (const Command& command : commands) {
    if (group.empty() || command_group(command.name) == group) {
      text += fmt::format("  edt {:15} {}\n", command.name, command.summary);
    }
  }
  text += "\nedt COMMAND --help, or edt help COMMAND, explains a command";
  text += group.empty() ? ", edt --version says what it was built from.\n" : ".\n";
  return text;
}

void unknown_command(std::string_view given, std::span<const Command> commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    names.emplace_back(command.name);
    if (!command_group(command.name).empty()) names.emplace_back(command_group(command.name));
  }
  const std::string similar = suggestion(given, names);
  fail<UsageError>("edt", "unknown command '{}'{} edt --help lists them", given,
                   similar.empty() ? ";" : similar);
}

bool read_options(OptionSet& options, std::span<const std::string> args, CommandContext& context) {
  options.add("quiet", &context.quiet, "warnings and errors only, no progress").command_line_only();
  options
      .add("log-level", &context.log_level,
           {{"debug", log::Level::kDebug},
            {"info", log::Level::kInfo},
            {"warning", log::Level::kWarning},
            {"error", log::Level::kError}},
           "messages on standard error and in log files")
      .command_line_only();
  if (context.describe) {
    context.describe(options);
    return false;
  }
  if (!options.parse(args)) {
    context.out << options.help();
    return false;
  }
  if (context.quiet && !options.given("log-level")) context.log_level = log::Level::kWarning;
  log::set_level(context.log_level);
  for (const std::string& line : options.left_out()) log::info("{}", line);
  return true;
}

int run_program(std::span<const std::string> args, std::span<const Command> commands,
                CommandContext& context) {
  // A run that goes on looks through its input before it begins: what is wrong with it later has
  // come about since. Elsewhere bad input is that whenever it is met.
  const auto input_status = [&] {
    return context.run_started && context.resumable ? kFailed : kWrongUsage;
  };
  try {
    const int status = dispatch(args, commands, context);
    context.out.flush();
    if (context.output_is_result && !context.out && !standard_output_has_no_reader()) {
      fail_output();
    }
    return status;
  } catch (const UsageError& error) {
    return report(context, error.what(), input_status());
  } catch (const DataError& error) {
    return report(context, error.what(), input_status());
  } catch (const CheckpointError& error) {
    return report(context, error.what(), input_status());
  } catch (const CommunicationError& error) {
    return report(context, error.what(), context.run_started ? kBrokenOff : kFailed);
  } catch (const DiskError& error) {
    return report(context, error.what(), kBrokenOff);
  } catch (const SystemError& error) {
    return report(context, error.what(),
                  context.run_started && context.resumable ? kBrokenOff : kFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string what = fmt::format("[file] cannot use {}: {}", error.path1().string(),
                                         error_text(error.code().value(), error.path1()));
    // Names that lead nowhere, or nowhere that we may go, are bad input, and so are more files than
    // may be open.
    constexpr std::array kOfNames{
        std::errc::permission_denied,         std::errc::too_many_files_open,
        std::errc::no_such_file_or_directory, std::errc::not_a_directory,
        std::errc::filename_too_long,         std::errc::too_many_symbolic_link_levels};
    const bool is_name =
        std::ranges::any_of(kOfNames, [&](std::errc code) { return error.code() == code; });
    const int failed = is_disk_trouble(error.code().value()) ? kBrokenOff : kFailed;
    return report(context, what, is_name ? input_status() : failed);
  } catch (const std::system_error& error) {
    const bool of_threads = error.code() == std::errc::resource_unavailable_try_again;
    return report(context,
                  of_threads ? "[edt] no more threads can be started: this user or this container "
                               "has as many as are allowed (ulimit -u)"
                             : error.what(),
                  kFailed);
  } catch (const std::bad_alloc&) {
    return report(context, "[memory] out of memory", kFailed);
  } catch (const std::length_error&) {  // of a container: more than any memory holds
    return report(context, "[memory] out of memory", kFailed);
  } catch (const std::exception& error) {
    return report(context, error.what(), kFailed);
  }
}

}  // namespace edt

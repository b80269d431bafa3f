#include "core/options/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>

#include "core/base/error.h"
#include "core/options/ini.h"
#include "core/options/option_field.h"

namespace edt {
namespace {

namespace po = boost::program_options;

// Brings every token to the form Boost reads without guessing: names with '-', a flag that stands
// alone as --flag=on, and a flag followed by on/off as --flag=on or --flag=off. An option that has
// lost its value, as with an empty variable of the shell, does not take the next one's name for it.
std::vector<std::string> normalised(std::string_view where, std::span<const std::string> args,
                                    std::span<const CommandLineName> names) {
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "-h") {
      tokens.push_back("--help=on");
      continue;
    }
    if (!args[i].starts_with("--")) {
      tokens.push_back(args[i]);
      continue;
    }
    const auto equals = std::min(args[i].find('='), args[i].size());
    std::string token = canonical_key(args[i].substr(0, equals)) + args[i].substr(equals);
    const auto option = std::ranges::find_if(
        names, [&](const CommandLineName& known) { return token == "--" + known.name; });
    const bool is_followed =
        i + 1 < args.size() && (args[i + 1].starts_with("--") || args[i + 1] == "-h");
    if (option != names.end() && !option->is_flag && is_followed) {
      fail<UsageError>(where, "{0} has no value: {1} follows it; {0}={1} where that is meant",
                       token, args[i + 1]);
    }
    if (option != names.end() && option->is_flag) {
      const bool has_value = i + 1 < args.size() && option_type::parse_flag(args[i + 1]);
      token += "=" + (has_value ? args[++i] : "on");
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

std::vector<CommandLineArgument> split_command_line(std::string_view where,
                                                    std::span<const std::string> args,
                                                    std::span<const CommandLineName> names) {
  const auto terminator = std::find(args.begin(), args.end(), "--");
  const auto options = args.first(static_cast<std::size_t>(terminator - args.begin()));
  po::options_description description;
  for (const CommandLineName& option : names) {
    description.add_options()(option.name.c_str(), po::value<std::string>());
  }
  using namespace po::command_line_style;
  std::vector<CommandLineArgument> arguments;
  try {
    const auto parsed = po::command_line_parser(normalised(where, options, names))
                            .options(description)
                            .style(allow_long | long_allow_adjacent | long_allow_next)
                            .allow_unregistered()
                            .run();
    for (const auto& option : parsed.options) {
      const bool positional = option.position_key >= 0;
      // Boost leaves "-x" to the positional arguments when short options are off.
      const bool known = positional ? option.value.at(0).size() < 2 || option.value[0][0] != '-'
                                    : !option.unregistered;
      arguments.push_back({positional ? "" : option.string_key,
                           option.value.empty() ? "" : option.value[0], known});
      if (positional && !known) std::swap(arguments.back().name, arguments.back().value);
    }
  } catch (const po::error& error) {
    fail<UsageError>(where, "{}", error.what());
  }
  for (const auto& arg : args.subspan(std::min(options.size() + 1, args.size()))) {
    arguments.push_back({"", arg});
  }
  return arguments;
}

}  // namespace edt

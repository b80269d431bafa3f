// Exit statuses and the one catch.
#include "launcher/command.h"

#include <gmock/gmock-matchers.h>

#include <filesystem>
#include <new>
#include <sstream>

#include "core/base/error.h"
#include "core/options/options.h"
#include "core/storage/access.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {
namespace {

using testing::HasSubstr;

bool run_begins = false, is_resumable = false;

template <class E>
int throwing(std::span<const std::string>, CommandContext& context) {
  context.run_started = run_begins;
  context.resumable = is_resumable;
  fail<E>("here", "first\nsecond");
}

template <std::errc code>
int of_library(std::span<const std::string>, CommandContext&) {
  throw std::filesystem::filesystem_error("use", "a.txt", std::make_error_code(code));
}

int out_of_memory(std::span<const std::string>, CommandContext&) { throw std::bad_alloc(); }

int stopping(std::span<const std::string> args, CommandContext& context) {
  int number = 0;
  OptionSet options("data stop", "Stops.");
  options.add("number", &number, "any");
  if (!read_options(options, args, context)) return kDone;
  context.print("{} {}\n", number, context.quiet);
  return kStopped;
}

constexpr Command kCommands[] = {{"usage", "u", throwing<UsageError>},
                                 {"data", "d", throwing<DataError>},
                                 {"checkpoint", "c", throwing<CheckpointError>},
                                 {"system", "s", throwing<SystemError>},
                                 {"disk", "full", throwing<DiskError>},
                                 {"library", "full", of_library<std::errc::no_space_on_device>},
                                 {"name", "lost", of_library<std::errc::no_such_file_or_directory>},
                                 {"busy", "device", of_library<std::errc::device_or_resource_busy>},
                                 {"memory", "m", out_of_memory},
                                 {"shard stop", "stops", stopping},
                                 {"shard fail", "fails", throwing<DataError>}};

struct Outcome {
  int status;
  std::string out, error;
};

Outcome run(const std::vector<std::string>& args) {
  std::ostringstream out, error;
  const auto ranks = make_self_communicator();
  CommandContext context{out, error, *ranks};
  const int status = run_program(args, kCommands, context);
  return {status, out.str(), error.str()};
}

// But in a run that goes on: its input was in order when it began.
TEST(Command, BadInputIsWrongUsageWheneverItIsMet) {
  for (const bool begun : {false, true}) {
    run_begins = begun;
    for (const bool resumable : {false, true}) {
      is_resumable = resumable;
      const bool is_run = begun && resumable;
      for (const char* name : {"usage", "data", "checkpoint"}) {
        EXPECT_EQ(run({name}).status, is_run ? kFailed : kWrongUsage) << name;
      }
      EXPECT_EQ(run({"system"}).status, is_run ? kBrokenOff : kFailed);
      EXPECT_EQ(run({"busy"}).status, kFailed);
    }
  }
  run_begins = is_resumable = false;
  EXPECT_EQ(run({"name"}).status, kWrongUsage);
  EXPECT_THAT(run({"name"}).error, HasSubstr("cannot use a.txt: No such file"));
}

// The same command may well succeed later, whatever command it is.
TEST(Command, AFullDiskBreaksOff) {
  for (const char* name : {"disk", "library"}) {
    EXPECT_EQ(run({name}).status, kBrokenOff) << name;
  }
}

TEST(Command, AnErrorIsOneLine) {
  EXPECT_EQ(run({"data"}).error, "edt: error: [here] first second\n");
  EXPECT_EQ(run({"memory"}).error, "edt: error: [memory] out of memory\n");
  EXPECT_EQ(run({"memory"}).status, kFailed);
}

TEST(Command, GroupsHaveCommandsOfTheirOwn) {
  const Outcome stopped = run({"shard", "stop", "--number", "3", "--quiet"});
  EXPECT_EQ(stopped.status, kStopped);
  EXPECT_EQ(stopped.out, "3 true\n");
  EXPECT_EQ(run({"shard", "fail"}).status, kWrongUsage);
  EXPECT_THAT(run({"shard"}).error, HasSubstr("shard needs a command"));
  EXPECT_THAT(run({"shard", "stpo"}).error, HasSubstr("did you mean 'shard stop'?"));
  EXPECT_THAT(run({"shrd", "stop"}).error, HasSubstr("did you mean 'shard'?"));
  const Outcome help = run({"shard", "--help"});
  EXPECT_EQ(help.status, kDone);
  EXPECT_THAT(help.out, HasSubstr("edt shard stop"));
  EXPECT_THAT(help.out, testing::Not(HasSubstr("checkpoint")));
  EXPECT_THAT(run({"shard", "stop", "--help"}).out, HasSubstr("Usage: edt data stop"));
}

}  // namespace
}  // namespace edt

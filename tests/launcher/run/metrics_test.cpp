#include "launcher/run/metrics.h"
#include "launcher/run/append_file.h"

#include <gmock/gmock-matchers.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/storage/access.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> steps_in(const std::filesystem::path& file) {
  std::istringstream stream(test::read_text(file));
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(stream, line);) {
    steps.push_back(parse_json(line, "output")["step"]);
  }
  return steps;
}

void write_steps(const std::filesystem::path& file, std::int64_t begin, std::int64_t end) {
  MetricsWriter writer(file, begin);
  for (auto step = begin; step < end; ++step) writer.write(step, {{"loss", 0.5}});
}

TEST(Metrics, OneObjectPerStepVisibleAtOnce) {
  test::TempDir directory;
  MetricsWriter writer(directory / "m", 0);
  writer.write(0, {{"loss", 0.25}, {"time", {{"data", 1}}}});
  EXPECT_EQ(test::read_text(directory / "m"), R"({"step":0,"loss":0.25,"time":{"data":1}})"
                                              "\n");
  writer.write(1, {{"loss", NAN}, {"norm", INFINITY}});
  EXPECT_THAT(test::read_text(directory / "m"), HasSubstr(R"({"step":1,"loss":null,"norm":null})"));
  EXPECT_ANY_THROW(writer.write(1, {})) << "steps increase";
}

TEST(Metrics, ResumeRepeatsAndSkipsNothing) {
  test::TempDir directory;
  write_steps(directory / "m", 0, 7);
  write_steps(directory / "m", 4, 9);  // the checkpoint was older than the last record
  EXPECT_THAT(steps_in(directory / "m"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  write_steps(directory / "m", 9, 10);
  EXPECT_THAT(steps_in(directory / "m"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  write_steps(directory / "m", 0, 2);  // from scratch
  EXPECT_THAT(steps_in(directory / "m"), ElementsAre(0, 1));
}

// What cannot be read is not begun anew.
TEST(Metrics, RecordsThatCannotBeReadStay) {
  test::TempDir directory;
  std::filesystem::create_symlink("/proc/self/mem", directory / "m");  // EIO
  EXPECT_THAT(test::message_of<DiskError>([&] { MetricsWriter(directory / "m", 3); }),
              HasSubstr("cannot read"));
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "m"));
}

// Killed at every possible byte.
TEST(Metrics, TornLinesAreDropped) {
  test::TempDir directory;
  write_steps(directory / "m", 0, 4);
  const std::string whole = test::read_text(directory / "m");
  const std::size_t line = whole.size() / 4;
  for (std::size_t size = 2 * line; size <= whole.size(); ++size) {
    test::write_text(directory / "torn", whole.substr(0, size));
    write_steps(directory / "torn", 2, 5);
    ASSERT_THAT(steps_in(directory / "torn"), ElementsAre(0, 1, 2, 3, 4)) << size;
  }
}

TEST(Metrics, MissingStepsAreReportedAndRepairedNowhere) {
  test::TempDir directory;
  write_steps(directory / "m", 0, 2);
  testing::internal::CaptureStderr();
  write_steps(directory / "m", 5, 6);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("ends at step 1, resuming at step 5"));
  EXPECT_THAT(steps_in(directory / "m"), ElementsAre(0, 1, 5));
}

TEST(Metrics, AFullDiskIsAnError) {
  EXPECT_THAT(test::message_of<SystemError>([] { AppendFile("/dev/full").append("x"); }),
              HasSubstr("/dev/full"));
}

// As by somebody who tidies up, or rotates logs.
TEST(AppendFile, AFileThatIsRemovedIsBegunAnew) {
  const test::TempDir directory;
  AppendFile file(directory / "a");
  file.append("one\n");
  std::filesystem::remove(directory / "a");
  file.append("two\n");
  EXPECT_EQ(test::read_text(directory / "a"), "two\n");
  std::filesystem::rename(directory / "a", directory / "a.1");
  file.append("three\n");
  EXPECT_EQ(test::read_text(directory / "a"), "three\n");
  EXPECT_EQ(test::read_text(directory / "a.1"), "two\n");
}

// An editor writes another file and gives it the name: what followed was in none.
TEST(AppendFile, AFileThatIsReplacedIsAddedTo) {
  const test::TempDir directory;
  AppendFile file(directory / "a", 0, [] {});
  file.append("one\n");
  test::write_text(directory / "b", "edited\n");
  std::filesystem::rename(directory / "b", directory / "a");
  testing::internal::CaptureStderr();
  file.append("two\n");
  file.append("three\n");
  log::flush();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("was replaced by another file while it was in use"));
  EXPECT_EQ(said.find("was replaced"), said.rfind("was replaced")) << said;
  EXPECT_EQ(test::read_text(directory / "a"), "edited\ntwo\nthree\n");
  std::filesystem::remove(directory / "a");
  std::filesystem::create_directory(directory / "a");
  EXPECT_THAT(test::message_of<SystemError>([&] { file.append("four\n"); }),
              HasSubstr("is no regular file any more"));
}

TEST(AppendFile, AFileOfWhoHasTakenOverStaysAsItIs) {
  const test::TempDir directory;
  AppendFile alone(directory / "a");
  AppendFile file(directory / "a", 0, [] { fail<UsageError>("run", "another has taken over"); });
  file.append("one\n");
  test::write_text(directory / "b", "theirs\n");
  std::filesystem::rename(directory / "b", directory / "a");
  EXPECT_THAT(test::message_of<UsageError>([&] { file.append("two\n"); }),
              HasSubstr("another has taken over"));
  alone.append("three\n");
  EXPECT_EQ(test::read_text(directory / "a"), "theirs\n");
}

}  // namespace
}  // namespace edt

// `edt doctor` as a shell sees it.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

TEST_F(Cli, DoctorWritesJson) {
  const Outcome outcome = run("doctor --json " + path_);
  EXPECT_EQ(outcome.status, 0);
  const auto json = parse_json(outcome.output, "output");
  EXPECT_EQ(json["directory"]["path"], path_);
  EXPECT_TRUE(json["directory"]["writable"]);
  EXPECT_GT(json["machine"]["memory_total_bytes"], 0);
  EXPECT_GE(json["machine"]["cores_usable"], 1);
  EXPECT_EQ(json["ranks"]["count"], 1);
  EXPECT_FALSE(json["versions"]["oneDNN"].get<std::string>().empty());
  EXPECT_TRUE(std::filesystem::is_empty(path_)) << "probe files were left behind";
}

TEST_F(Cli, DoctorFailsWhereNothingCanBeWritten) {
  const Outcome outcome = run("doctor --json /proc/self");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_FALSE(parse_json(outcome.output, "output")["directory"]["writable"]);
}

TEST_F(Cli, DoctorKnowsTheLimitsOfTheShell) {
  const Outcome outcome =
      shell("sh -c 'ulimit -n 64; exec " + edt_program() + " doctor --json " + path_ + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(parse_json(outcome.output, "output")["machine"]["open_files"], 64);
}

TEST_F(Cli, DoctorSaysWhichDirectoryItExamines) {
  const Outcome outcome = run("doctor " + path_ + "/no/such");
  EXPECT_THAT(outcome.output,
              HasSubstr(path_ + "/no/such does not exist: " + path_ + " was examined"));
  EXPECT_EQ(
      parse_json(run("doctor --json " + path_ + "/no/such").output, "output")["directory"]["asked"],
      path_ + "/no/such");
  EXPECT_THAT(refusal("doctor ''"), HasSubstr("has no name"));
}

// For the step of a run; without one that of EDT-S/2 takes half a minute.
TEST_F(CliRun, DoctorMeasuresAndWritesTheClusterFile) {
  ASSERT_EQ(run(train_).status, 0);
  const std::string file = path_ + "/here.ini";
  const Outcome outcome = run("doctor --json --measure " + file + " " + run_);
  const auto json = parse_json(outcome.output, "output");
  ASSERT_EQ(json["measured"]["nodes"].size(), 1u);
  EXPECT_GT(json["measured"]["nodes"][0]["products_flops"]["rate"], 0);
  EXPECT_THAT(
      run("plan --cluster " + file + " --config " + run_ + "/config.ini --ranks 1 --search off")
          .output,
      HasSubstr(" calls measured"));
  EXPECT_THAT(refusal("doctor --device cpu"), HasSubstr("--measure"));
  EXPECT_THAT(refusal("doctor --measure here.txt"), HasSubstr(".ini"));
  EXPECT_THAT(refusal("doctor --measure ''"), HasSubstr("no name"));
  EXPECT_THAT(
      refusal("doctor --measure " + write("broken.ini", "[cluster") + " " + run_ + " --quiet"),
      HasSubstr("broken.ini:1"));
}

}  // namespace
}  // namespace edt::test

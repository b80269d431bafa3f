// What CTest knows of each test.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "tests/support/places.h"
#include "tests/support/shell.h"

namespace edt::test {
namespace {

using Json = nlohmann::json;

// Of a test's properties; null where it has none of that name.
Json property(const Json& test, const std::string& name) {
  for (const Json& one : test.value("properties", Json::array())) {
    if (one.at("name") == name) return one.at("value");
  }
  return nullptr;
}

// Half an hour of CTest's own would pass for a test that hangs.
TEST(EveryTest, HasATimeOutAndALabel) {
  const CommandOutcome listed =
      shell(EDT_CTEST " --show-only=json-v1 --test-dir '" + in_build("").string() + "'");
  ASSERT_EQ(listed.status, 0) << listed.errors;
  const Json tests = parse_json(listed.output, "output").at("tests");
  ASSERT_GT(tests.size(), 100u);
  for (const Json& test : tests) {
    const std::string name = test.at("name");
    if (name.ends_with("_NOT_BUILT")) continue;
    const Json limit = property(test, "TIMEOUT"), labels = property(test, "LABELS");
    EXPECT_TRUE(limit.is_number() && limit > 0 && limit <= 1500) << name << ": TIMEOUT " << limit;
    EXPECT_TRUE(labels.is_array() && !labels.empty()) << name << ": LABELS " << labels;
  }
}

}  // namespace
}  // namespace edt::test

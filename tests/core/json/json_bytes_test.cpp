#include "core/json/json_bytes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"

namespace edt {
namespace {

TEST(JsonBytes, EveryNameComesBack) {
  for (const std::string name :
       {"", "/data/photos", "/data/caf\xc3\xa9", "/data/caf\xe9", "\xff\xfe"}) {
    const std::string text = dump_json(json_of_bytes(name));
    EXPECT_EQ(bytes_of_json(parse_json(text, "name")), name) << text;
  }
  EXPECT_EQ(dump_json(json_of_bytes("/data/photos")), "\"/data/photos\"");
  for (const char* other : {"7", "null", "[1,300]", "[\"a\"]", "{}"}) {
    EXPECT_EQ(json_of_bytes("\xe9") == parse_json(other, "name"), false);
  }
  EXPECT_THROW(bytes_of_json(parse_json("7", "name")), nlohmann::json::exception);
  EXPECT_THROW(bytes_of_json(parse_json("[\"a\"]", "name")), nlohmann::json::exception);
}

}  // namespace
}  // namespace edt

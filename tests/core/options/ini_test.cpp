#include "core/options/ini.h"

#include <unistd.h>

#include <gmock/gmock-matchers.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

std::string only_value(const std::string& text) {
  const IniFile file = parse_ini(text, "a.ini");
  return file.entries.size() == 1 ? file.entries[0].value : "not one entry";
}

std::string ini_refusal(const std::string& text) {
  return test::message_of<UsageError>([&] { parse_ini(text, "a.ini"); });
}

TEST(Ini, SectionsPrefixKeys) {
  const IniFile file = parse_ini(
      "\xEF\xBB\xBF"
      "a = 1\r\n[train]\n# note\n ema_decay=2 \n[train.log]\nb=\n",
      "a.ini");
  ASSERT_EQ(file.entries.size(), 3u);
  EXPECT_EQ(file.entries[0].key, "a");
  EXPECT_EQ(file.entries[1].key, "train.ema-decay");
  EXPECT_EQ(file.entries[1].value, "2");
  EXPECT_EQ(file.entries[1].line, 4);
  EXPECT_EQ(file.entries[2].key, "train.log.b");
  EXPECT_EQ(file.entries[2].value, "");
}

TEST(Ini, CommentsNeedABlankBeforeThem) {
  EXPECT_EQ(only_value("a = b # c"), "b");
  EXPECT_EQ(only_value("a = b#c;d"), "b#c;d");
  EXPECT_EQ(only_value("a = # c"), "");
  EXPECT_EQ(only_value("a = \"b # c\" ; d"), "b # c");
}

TEST(Ini, EveryValueReadsBack) {
  for (int i = 0; i < 256; ++i) {
    for (const char* frame : {"", " ", "x", "\"", "\\"}) {
      const std::string value = frame + std::string(1, static_cast<char>(i)) + frame;
      EXPECT_EQ(only_value("a = " + ini_value(value)), value) << i << " in '" << frame << "'";
    }
  }
}

// Text that holds a configuration has to be UTF-8, whatever names it has.
TEST(Ini, NamesThatAreNotUtf8AreWrittenInAscii) {
  EXPECT_EQ(ini_value("/caf\xc3\xa9"), "/caf\xc3\xa9");
  EXPECT_EQ(ini_value("/caf\xe9"), "\"/caf\\xe9\"");
  for (const std::string value : {"/caf\xe9", "\xff\xfe", "\xc3\xa9\xc3", "a\x80z"}) {
    EXPECT_EQ(only_value("a = " + ini_value(value)), value);
  }
}

TEST(Ini, RefusalsNameTheLine) {
  EXPECT_EQ(ini_refusal("\nnonsense\n"), "[config] a.ini:2: expected 'key = value' or '[section]'");
  EXPECT_THAT(ini_refusal("[a\n"), HasSubstr("a.ini:1: the section has no ']'"));
  EXPECT_THAT(ini_refusal("[a] b\n"), HasSubstr("text after"));
  EXPECT_THAT(ini_refusal("[]\n"), HasSubstr("a section has"));
  EXPECT_THAT(ini_refusal("a b = 1\n"), HasSubstr("a key has"));
  EXPECT_THAT(ini_refusal("= 1\n"), HasSubstr("a key has"));
  EXPECT_THAT(ini_refusal("a = \"b\n"), HasSubstr("does not end"));
  EXPECT_THAT(ini_refusal("a = \"b\" c\n"), HasSubstr("after the closing quote"));
  EXPECT_THAT(ini_refusal("a = \"\\q\"\n"), HasSubstr("unknown escape"));
  EXPECT_THAT(ini_refusal("a = \"\\x1\"\n"), HasSubstr("unknown escape"));
  EXPECT_THAT(ini_refusal(std::string("a = b\0", 6)), HasSubstr("zero byte"));
  EXPECT_EQ(ini_refusal("[s]\na_b = 1\n\n[s]\na-b = 2\n"),
            "[config] a.ini:5: 's.a-b' was already set in line 2");
}

TEST(Ini, APipeOfTheShellIsAConfiguration) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text = "[a]\nb = 7\n";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  const IniFile file = read_ini_file(fmt::format("/dev/fd/{}", ends[0]));
  close(ends[0]);
  ASSERT_EQ(file.entries.size(), 1u);
  EXPECT_EQ(file.entries[0].value, "7");
}

TEST(Ini, FilesThatCannotBeConfigurations) {
  test::TempDir directory;
  const auto reading = [&](const std::filesystem::path& path) {
    return test::message_of<UsageError>([&] { read_ini_file(path); });
  };
  EXPECT_THAT(reading(directory / "none"), HasSubstr("no such file"));
  EXPECT_THAT(reading(directory.path()), HasSubstr("not a file"));
  EXPECT_THAT(reading("/dev/zero"), HasSubstr("not a file"));
  test::write_text(directory / "large", std::string((1 << 20) + 1, '#'));
  EXPECT_THAT(reading(directory / "large"), HasSubstr("at most 1048576 bytes"));
}

}  // namespace
}  // namespace edt

// docs/troubleshooting.md names messages by which people find what to do: each of them is one that
// the program, or one of its scripts, still says.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/places.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// String literals of C++ and of shell scripts; those with nothing but blanks between are one.
std::vector<std::string> literals_of(const std::string& source) {
  std::vector<std::string> all;
  bool joins = false;
  for (std::size_t at = 0; at < source.size(); ++at) {
    const char c = source[at];
    if (c == '\'' && at + 2 < source.size() && source[at + 2] == '\'') at += 2;  // a character
    if (c != '"') {
      joins = joins && (c == ' ' || c == '\n');
      continue;
    }
    std::string text;
    for (++at; at < source.size() && source[at] != '"'; ++at) {
      if (source[at] == '\\') ++at;
      text += source[at];
    }
    joins ? void(all.back() += text) : all.push_back(text);
    joins = true;
  }
  return all;
}

std::vector<Words> messages_of_the_program() {
  std::vector<Words> all;
  for (const char* folder : {"core", "parallel", "data", "model", "launcher", "slurm"}) {
    for (const auto& file : fs::recursive_directory_iterator(in_sources(folder))) {
      const std::string extension = file.path().extension().string();
      if (extension != ".cpp" && extension != ".h" && extension != ".sh") continue;
      for (const std::string& text : literals_of(read_text(file.path()))) {
        if (Words words = words_of(text); words.size() > 1) all.push_back(std::move(words));
      }
    }
  }
  return all;
}

// What stands between the values that are put in: "{}:{}," is "", ":", ",".
Words parts_of(const std::string& literal) {
  Words parts{""};
  for (std::size_t at = 0; at < literal.size(); ++at) {
    if (literal[at] == '$') {  // of a shell: $name, ${name}, $(command
      while (at + 1 < literal.size() && (std::isalnum(literal[at + 1]) || literal[at + 1] == '_'))
        ++at;
      parts.emplace_back();
    } else if (literal[at] == '{') {
      for (int depth = 1; depth > 0 && at + 1 < literal.size();) {
        ++at;
        depth += literal[at] == '{' ? 1 : literal[at] == '}' ? -1 : 0;
      }
      parts.emplace_back();
    } else {
      parts.back() += literal[at];
    }
  }
  return parts;
}

bool is_said_by(const std::string& text, const std::string& literal) {
  const Words parts = parts_of(literal);
  if (!text.starts_with(parts.front())) return false;
  std::size_t at = parts.front().size();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    if (is_last && text.size() < at + parts[i].size()) return false;
    const std::size_t found = is_last ? text.size() - parts[i].size() : text.find(parts[i], at);
    if (found == std::string::npos || text.compare(found, parts[i].size(), parts[i]) != 0) {
      return false;
    }
    at = found + parts[i].size();
  }
  return at == text.size();
}

// Follows a message, word by word, along a literal.
class Follower {
 public:
  Follower(const Words& message, const Words& literal) : message_(message), literal_(literal) {}

  // Adds where the message can get to from its word `from` on, along enough of the literal's own.
  void follow(std::size_t from, std::set<std::size_t>& ends) {
    begin_ = from;
    ends_ = &ends;
    for (std::size_t at = 0; at < literal_.size(); ++at) follow(from, at, 0);
  }

 private:
  void follow(std::size_t word, std::size_t at, int own) {
    constexpr std::size_t kMostWords = 6;  // that one value has
    // Half of them or more, but for one: a literal of values alone says anything.
    if (own >= 2 && 2 * static_cast<std::size_t>(own) + 1 >= word - begin_) {
      ends_->insert(word);
    }
    if (word == message_.size() || at == literal_.size()) return;
    const std::string& literal = literal_[at];
    if (literal == message_[word] ||
        (word == begin_ && literal.ends_with(message_[word]) && message_[word].size() > 2) ||
        (word + 1 == message_.size() && literal.starts_with(message_[word]))) {
      follow(word + 1, at + 1, own + 1);
      return;
    }
    std::string several;
    for (std::size_t n = 0; n < kMostWords && word + n < message_.size(); ++n) {
      several += (n == 0 ? "" : " ") + message_[word + n];
      if (is_said_by(several, literal)) follow(word + n + 1, at + 1, own);
    }
    if (is_said_by("", literal)) follow(word, at + 1, own);
  }

  const Words& message_;
  const Words& literal_;
  std::size_t begin_ = 0;
  std::set<std::size_t>* ends_ = nullptr;
};

// One message may be put together of three literals.
bool is_said(const Words& message, const std::vector<Words>& literals, std::size_t from = 0,
             int parts = 3) {
  if (from == message.size()) return true;
  if (parts == 0) return false;
  std::set<std::size_t> ends;
  const std::set<std::string> own(message.begin(), message.end());
  for (const Words& literal : literals) {
    // Most have nothing to do with it.
    if (std::ranges::count_if(literal, [&](const auto& word) { return own.contains(word); }) < 2) {
      continue;
    }
    Follower(message, literal).follow(from, ends);
  }
  return std::any_of(ends.rbegin(), ends.rend(),
                     [&](std::size_t end) { return is_said(message, literals, end, parts - 1); });
}

// The spans of the first column of its tables, without what only one word says, cut where "..."
// leaves something out.
std::vector<std::string> messages_of(const std::string& page) {
  std::vector<std::string> all;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ") || line.starts_with("| symptom")) continue;
    const std::string symptom = line.substr(0, line.find(" | ", 2));
    for (std::size_t begin = symptom.find('`'); begin != std::string::npos;
         begin = symptom.find('`', begin)) {
      const std::size_t end = symptom.find('`', begin + 1);
      std::string span = symptom.substr(begin + 1, end - begin - 1);
      begin = end + 1;
      for (std::size_t cut; !span.empty(); span.erase(0, cut)) {
        cut = std::min(span.find("..."), span.size());
        Words words = words_of(span.substr(0, cut));
        // "[run]" and its like are put before all messages of a place.
        if (!words.empty() && words[0].starts_with('[')) words.erase(words.begin());
        if (words.size() > 1) all.push_back(fmt::format("{}", fmt::join(words, " ")));
        cut = std::min(cut + 3, span.size());
      }
    }
  }
  return all;
}

TEST(Troubleshooting, NamesMessagesThatThereAre) {
  // Of Open MPI, of HDF5.
  const std::set<std::string> of_others{"not enough slots", "unable to lock file",
                                        "open for write (may use <h5clear file>"};
  const std::vector<Words> literals = messages_of_the_program();
  ASSERT_GT(literals.size(), 3000u);
  const auto messages = messages_of(read_text(in_sources("docs/troubleshooting.md")));
  EXPECT_GT(messages.size(), 30u);
  for (const std::string& message : messages) {
    if (of_others.contains(message)) continue;
    EXPECT_TRUE(is_said(words_of(message), literals)) << message;
  }
  EXPECT_FALSE(is_said(words_of("this is a message that nothing says"), literals));
}

}  // namespace
}  // namespace edt::test

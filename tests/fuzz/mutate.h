// Damages a valid input the way disks, networks and liars do. Philox decides, so a mutation is a
// function of (seed, iteration) and can be repeated.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "core/random/stream.h"

namespace edt::fuzz {

class Dice {
 public:
  Dice(std::uint64_t seed, std::uint32_t iteration) : key_{.seed = seed, .step = iteration} {}

  std::uint64_t below(std::uint64_t bound) {
    if (used_ == 4) {
      words_ = random::block(key_, next_++);
      used_ = 0;
    }
    return bound == 0 ? 0 : (std::uint64_t{words_[used_++]} * 0x9E3779B97F4A7C15ull >> 16) % bound;
  }

 private:
  random::StreamKey key_;
  random::Counter words_{};
  std::uint32_t next_ = 0;
  std::size_t used_ = 4;
};

// Numbers that tend to break size arithmetic.
inline std::uint64_t awkward_number(Dice& dice) {
  constexpr std::array<std::uint64_t, 14> kNumbers{0,
                                                   1,
                                                   7,
                                                   127,
                                                   255,
                                                   65535,
                                                   0x7fffffff,
                                                   0x80000000,
                                                   0xffffffff,
                                                   0x100000001,
                                                   0x7fffffffffffffff,
                                                   0x8000000000000000,
                                                   0xffffffffffffffff,
                                                   0x4000000000000001};
  return kNumbers[dice.below(kNumbers.size())];
}

// Replaces a run of decimal digits, as they stand in text headers.
inline void replace_decimal(std::string& text, Dice& dice) {
  const std::size_t start = dice.below(text.size());
  const std::size_t begin = text.find_first_of("0123456789", start);
  if (begin == std::string::npos) return;
  const std::size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
  text.replace(begin, end - begin, std::to_string(awkward_number(dice)));
}

inline void overwrite_integer(std::string& text, Dice& dice) {
  const std::size_t width = std::size_t{1} << dice.below(4);
  if (text.size() < width) return;
  const std::size_t at = dice.below(text.size() - width + 1);
  std::uint64_t value = awkward_number(dice) + dice.below(3) - 1;
  for (std::size_t i = 0; i < width; ++i) text[at + i] = static_cast<char>(value >> 8 * i);
}

inline void mutate_once(std::string& text, Dice& dice) {
  if (text.empty()) return;
  const std::size_t at = dice.below(text.size());
  const std::size_t length = std::min<std::size_t>(1 + dice.below(64), text.size() - at);
  switch (dice.below(9)) {
    case 0:
    case 1:
      text[at] = static_cast<char>(text[at] ^ 1 << dice.below(8));
      return;
    case 2:
      text[at] = static_cast<char>(dice.below(256));
      return;
    case 3:
      return overwrite_integer(text, dice);
    case 4:
      return replace_decimal(text, dice);
    case 5:
      text.resize(at);
      return;
    case 6:
      text.erase(at, length);
      return;
    case 7:
      text.insert(at, text.substr(dice.below(text.size()), length));
      return;
    default:
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), length,
                  static_cast<char>(dice.below(2) * 255));
  }
}

// One to eight mutations, few more often than many; headers, at the front, more often than the
// rest.
inline std::string mutate(std::string text, Dice& dice) {
  const std::uint64_t count = 1 + std::min(dice.below(8), dice.below(8));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t front = dice.below(2) ? text.size() : std::min<std::size_t>(text.size(), 600);
    std::string head = text.substr(0, front);
    mutate_once(head, dice);
    text = head + text.substr(front);
  }
  return text;
}

}  // namespace edt::fuzz

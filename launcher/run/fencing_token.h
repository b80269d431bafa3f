// Which of the processes that have held a run directory may still write there. Each holder takes
// the next number and writes it to the file `generation`. Ranks of a job that was given up (a node
// out of reach, a job that was put back into the queue) can live on beside the job that replaced
// it: they find a later number than theirs, and stop without touching anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "core/base/error.h"

namespace edt {

// This process has been replaced by a later one.
class ReplacedError : public Error {
  using Error::Error;
};

class FencingToken {
 public:
  // Of a rank that was told the number.
  FencingToken(std::filesystem::path file, std::uint64_t number);
  // Takes the next number. The caller holds the lock of the run directory. Where the file is lost,
  // empty or damaged, or older than that, the numbers go on from `known()`, the last one that is
  // known otherwise: what is left of earlier starts must not take itself for the present one.
  static FencingToken take(
      std::filesystem::path file,
      const std::function<std::uint64_t()>& known = [] { return std::uint64_t{0}; });

  std::uint64_t number() const { return number_; }
  // Whether nobody has taken a later one. True where the file cannot be read: a disk that fails is
  // not a sign of somebody else.
  bool is_current() const;
  // Throws ReplacedError when somebody has. Called before each write.
  void check() const;

 private:
  std::filesystem::path file_;
  std::uint64_t number_;
};

}  // namespace edt

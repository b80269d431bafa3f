// Which parts of sequences are taken.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/import/import.h"

namespace edt::data {

// The windows of the sequences of one file.
class SequenceCuts {
 public:
  // `lengths`: of each sequence; one for all of `count` where all are as long. `where` names the
  // file. DataError for one that is shorter than a window, or longer and not to be cut.
  SequenceCuts(const SequenceOptions& options, std::uint64_t count,
               std::vector<std::uint64_t> lengths, const std::string& where);

  struct Window {
    std::uint64_t sequence = 0, start = 0;  // frame
  };
  std::uint64_t windows() const { return windows_; }
  std::uint64_t skipped() const { return skipped_; }  // sequences that were too short
  Window operator[](std::uint64_t window) const;

 private:
  std::uint64_t windows_of(std::uint64_t length) const;

  const SequenceOptions& options_;
  bool all_alike_;
  std::uint64_t windows_ = 0, skipped_ = 0;
  std::vector<std::uint64_t> begin_;  // first window of each sequence, and the end; or of one
};

}  // namespace edt::data

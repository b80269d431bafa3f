// TensorBoard event files: protobuf Event messages in TFRecord frames.
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/run/append_file.h"

namespace edt {

class TensorBoardWriter {
 public:
  // Starts a new event file in `directory`, which exists. TensorBoard then hides what earlier files
  // there hold at `first_step` and later. Throws SystemError.
  TensorBoardWriter(const std::filesystem::path& directory, std::int64_t first_step);

  // One event with all scalars of a step.
  void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values);

  // `png` is a whole PNG file.
  void image(std::int64_t step, std::string_view tag, std::string_view png);

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  AppendFile file_;
};

// CRC-32C (Castagnoli), and as TFRecord stores it: rotated and offset.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace edt

// Commands on files of weights, and such files made from others.
#pragma once

#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>

#include "core/storage/half.h"
#include "core/storage/safetensors.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/tiny_run.h"

namespace edt::test {

// A tensor of a file.
struct FileTensor {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

inline std::vector<FileTensor> read_tensors(const std::filesystem::path& file) {
  const SafetensorsReader reader(file);
  std::vector<FileTensor> tensors;
  for (const SafetensorsEntry& entry : reader.entries()) {
    FileTensor tensor{entry.name, entry.type, entry.shape, std::vector<float>(entry.elements())};
    reader.read(entry, 0, std::span<float>(tensor.values));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

inline void write_tensors(const std::filesystem::path& file,
                          const std::vector<FileTensor>& tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const FileTensor& tensor : tensors) {
    entries.push_back({.name = tensor.name, .type = tensor.type, .shape = tensor.shape});
  }
  SafetensorsWriter writer(file, entries);
  for (const FileTensor& tensor : tensors) {
    for (const float value : tensor.values) {
      if (tensor.type == SafetensorsType::kF32) writer.append_values(std::span(&value, 1));
      if (tensor.type == SafetensorsType::kF64) {
        const double wide = value;
        writer.append_values(std::span(&wide, 1));
      }
      if (tensor.type == SafetensorsType::kF16) {
        const half_bits half = float_to_half(value);
        writer.append_values(std::span(&half, 1));
      }
      if (tensor.type == SafetensorsType::kBF16) {
        const bfloat16 brain(value);
        writer.append_values(std::span(&brain, 1));
      }
    }
  }
  writer.finish();
}

}  // namespace edt::test

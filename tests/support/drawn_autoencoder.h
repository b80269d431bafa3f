// Files of autoencoders with random weights, in the layouts that people have.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/half.h"
#include "core/storage/safetensors.h"
#include "model/autoencoder/published.h"

namespace edt::test {

struct DrawnFile {
  SafetensorsType type = SafetensorsType::kF32;
  // Of each tensor: its name in the file; "" leaves it out. As diffusers has it by default.
  std::function<std::string(const std::string&)> name = [](const std::string& own) { return own; };
  std::function<void(NamedShape&, std::vector<float>&)> change = [](auto&, auto&) {};
};

inline void write_autoencoder(const std::filesystem::path& path,
                              const std::vector<NamedShape>& tensors, const DrawnFile& file = {}) {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> all;
  for (NamedShape tensor : tensors) {
    std::vector<float> values = drawn_values(tensor);
    file.change(tensor, values);
    const std::string name = file.name(tensor.name);
    if (name.empty()) continue;
    std::vector<std::uint64_t> shape;
    for (int i = 0; i < tensor.shape.rank(); ++i) {
      shape.push_back(static_cast<std::uint64_t>(tensor.shape[i]));
    }
    entries.push_back({.name = name, .type = file.type, .shape = shape});
    all.push_back(std::move(values));
  }
  SafetensorsWriter writer(path, entries);
  for (const std::vector<float>& values : all) {
    if (file.type == SafetensorsType::kF32) {
      writer.append_values(std::span<const float>(values));
    } else if (file.type == SafetensorsType::kF16) {
      std::vector<half_bits> bits(values.size());
      float_to_half(values, bits);
      writer.append_values(std::span<const half_bits>(bits));
    } else {
      std::vector<bfloat16> bits;
      for (const float value : values) bits.push_back(bfloat16(value));
      writer.append_values(std::span<const bfloat16>(bits));
    }
  }
  writer.finish();
}

}  // namespace edt::test

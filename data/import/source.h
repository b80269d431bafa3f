// Samples in order, from one of the layouts that can be imported.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "data/import/import.h"

namespace edt::data {

class ImportSource {
 public:
  struct Shape {
    std::uint64_t channels = 0, height = 0, width = 0;
    std::uint64_t elements() const { return channels * height * width; }
    bool operator==(const Shape&) const = default;
  };

  virtual ~ImportSource() = default;
  virtual std::uint64_t size() const = 0;
  virtual Shape shape() const = 0;  // of a stored sample
  virtual bool has_flipped() const = 0;
  // Where sample `index` comes from, for messages.
  virtual std::string origin(std::uint64_t index) const = 0;
  virtual std::string label_origin(std::uint64_t index) const { return origin(index); }
  // Sample `index`, not before those read already. `flipped` is empty unless has_flipped().
  virtual void read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
                    std::int32_t& label) = 0;
};

std::unique_ptr<ImportSource> open_folder_source(const ImportOptions& options);
std::unique_ptr<ImportSource> open_array_source(const ImportOptions& options);
std::unique_ptr<ImportSource> open_safetensors_source(const ImportOptions& options);

// The shape of samples in an array [N, C, H, W], or [1, C, H, W] and [C, H, W] for single ones.
ImportSource::Shape sample_shape(std::span<const std::uint64_t> array, bool single,
                                 const std::string& label);

}  // namespace edt::data

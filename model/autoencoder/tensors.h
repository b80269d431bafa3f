// The tensors of an autoencoder under one set of names, those of today's diffusers, wherever they
// come from: each is checked against the shape that its layer needs, and none may be left over.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/shape.h"

namespace edt {

enum class AutoencoderHalf { kEncoder, kDecoder };

class AutoencoderTensors {
 public:
  // Fills a span of as many values as the tensor has.
  using Read = std::function<void(std::span<float>)>;

  // `label`: where it is, for messages.
  explicit AutoencoderTensors(std::string label) : label_(std::move(label)) {}

  // `place`: the name that the tensor has there. DataError where the name is taken.
  void add(const std::string& name, const std::string& place, const Shape& shape, Read read);

  const std::string& label() const { return label_; }
  bool empty() const { return tensors_.empty(); }
  bool has(std::string_view name) const;
  bool has_any(std::string_view beginning) const;
  // DataError where there is none.
  const Shape& shape(const std::string& name) const;
  // How many of beginning0., beginning1., ... there are, one after the other.
  std::int64_t count(const std::string& beginning) const;
  std::vector<std::string> names() const;

  // Its values; DataError with both shapes unless it has this one, up to axes of one at the end.
  std::vector<float> take(const std::string& name, const Shape& expected);

  // DataError that names a tensor which no layer has taken.
  void require_all_taken() const;
  // Over what was taken of a half; 0: nothing.
  std::uint64_t checksum(AutoencoderHalf half) const;
  std::int64_t parameters(AutoencoderHalf half) const;

 private:
  struct Entry {
    std::string place;
    Shape shape;
    Read read;
    std::uint64_t checksum = 0;
    bool taken = false;
  };
  const Entry& find(const std::string& name) const;

  std::string label_;
  std::map<std::string, Entry> tensors_;
};

}  // namespace edt

#include "model/autoencoder/tensors.h"

#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/half.h"

namespace edt {
namespace {

Shape without_ones_at_the_end(const Shape& shape) {
  int rank = shape.rank();
  while (rank > 1 && shape[rank - 1] == 1) --rank;
  Shape result;
  for (int i = 0; i < rank; ++i) result.append(shape[i]);
  return result;
}

AutoencoderHalf half_of(std::string_view name) {
  return name.starts_with("encoder.") || name.starts_with("quant_conv.")
             ? AutoencoderHalf::kEncoder
             : AutoencoderHalf::kDecoder;
}

template <class T>
void add_value(StreamingChecksum& sum, const T& value) {
  sum.add(std::as_bytes(std::span(&value, 1)));
}

}  // namespace

void AutoencoderTensors::add(const std::string& name, const std::string& place, const Shape& shape,
                             Read read) {
  const auto [there, is_new] = tensors_.try_emplace(name, Entry{place, shape, std::move(read)});
  require<DataError>(is_new, "vae", "{}: {} and {} are one tensor ({})", label_,
                     there->second.place, place, name);
}

bool AutoencoderTensors::has(std::string_view name) const {
  return tensors_.contains(std::string(name));
}

bool AutoencoderTensors::has_any(std::string_view beginning) const {
  const auto next = tensors_.lower_bound(std::string(beginning));
  return next != tensors_.end() && next->first.starts_with(beginning);
}

const AutoencoderTensors::Entry& AutoencoderTensors::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  require<DataError>(found != tensors_.end(), "vae", "{}: there is no tensor {}", label_, name);
  return found->second;
}

const Shape& AutoencoderTensors::shape(const std::string& name) const { return find(name).shape; }

std::int64_t AutoencoderTensors::count(const std::string& beginning) const {
  std::int64_t n = 0;
  while (has_any(beginning + std::to_string(n) + '.')) ++n;
  return n;
}

std::vector<std::string> AutoencoderTensors::names() const {
  std::vector<std::string> all;
  for (const auto& [name, entry] : tensors_) all.push_back(name);
  return all;
}

std::vector<float> AutoencoderTensors::take(const std::string& name, const Shape& expected) {
  const Entry& entry = find(name);
  require<DataError>(without_ones_at_the_end(entry.shape) == without_ones_at_the_end(expected),
                     "vae", "{}: {} is {}, {} is needed", label_, entry.place,
                     to_string(entry.shape), to_string(expected));
  std::vector<float> values(static_cast<std::size_t>(expected.elements()));
  entry.read(values);
  require<DataError>(all_finite(values), "vae", "{}: {} contains NaN or infinity", label_,
                     entry.place);
  Entry& taken = tensors_.at(name);
  taken.checksum = checksum_of(std::span<const float>(values));
  taken.taken = true;
  return values;
}

void AutoencoderTensors::require_all_taken() const {
  for (const auto& [name, entry] : tensors_) {
    require<DataError>(entry.taken, "vae", "{}: {} {} belongs to no layer that is known here",
                       label_, entry.place, to_string(entry.shape));
  }
}

std::uint64_t AutoencoderTensors::checksum(AutoencoderHalf half) const {
  StreamingChecksum sum;
  bool any = false;
  for (const auto& [name, entry] : tensors_) {
    if (!entry.taken || half_of(name) != half) continue;
    any = true;
    sum.add(std::as_bytes(std::span(name.data(), name.size())));
    const Shape shape = without_ones_at_the_end(entry.shape);
    for (int i = 0; i < shape.rank(); ++i) add_value(sum, shape[i]);
    add_value(sum, entry.checksum);
  }
  return any ? sum.value() : 0;
}

std::int64_t AutoencoderTensors::parameters(AutoencoderHalf half) const {
  std::int64_t sum = 0;
  for (const auto& [name, entry] : tensors_) {
    if (half_of(name) == half) sum += entry.shape.elements();
  }
  return sum;
}

}  // namespace edt

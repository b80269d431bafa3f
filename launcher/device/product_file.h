// Chosen algorithms of matrix products as a JSON file: what `edt tune` writes and runs read.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/cuda/tuned_products.h"

namespace edt {

struct ProductFile {
  GpuType gpu;
  TunedProducts tuned;  // whose source is the file's name
};

// `name` is the file's. Throws DataError naming it, the product and its key where it is malformed.
ProductFile parse_product_file(std::string_view text, const std::string& name);
std::string format_product_file(const ProductFile& file);

// UsageError where there is no such file.
std::string read_product_file(const std::filesystem::path& path);

// Throws DataError with both values unless the file was made for this type of GPU.
void require_gpu(const ProductFile& file, const GpuType& here);

// "256 x 5616 x 936 bf16 to float32, row-sums"
std::string text_of_product(const ProductKey& key);

}  // namespace edt

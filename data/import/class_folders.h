// A folder for each class, as torchvision's ImageFolder takes them: class names are the folders'.
#pragma once

#include "data/import/layout.h"

namespace edt::data {

SampleFiles files_of_classes(const ImportOptions& options);

}  // namespace edt::data

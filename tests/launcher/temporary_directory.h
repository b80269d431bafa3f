// The names under which tests of the launcher know what is in tests/support.
#pragma once

#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {

using TemporaryDirectory = test::TempDir;
using test::message_of;
using test::read_text;
using test::write_text;

}  // namespace edt

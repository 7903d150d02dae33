# SPDX-License-Identifier: Apache-2.0
# A text as a C string constant, line by line.
s/[\\"]/\\&/g
s/.*/"&\\n"/

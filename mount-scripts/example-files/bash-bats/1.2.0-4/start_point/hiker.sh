#!/usr/bin/env bash

answer()
{
    echo $((6 * 9))
}

#!/bin/sh
# What the guest of `cargo xtask usbip-guest` does: plugs the virtual HSM in and uses it as anybody would, with Debian's kernel,
# usbip, pcscd, libccid, OpenSC and pico-hsm-tool. Lines that begin with "guest:" are for the host; the last one says "ok".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

finish() {
    echo "guest: $1"
    echo o > /proc/sysrq-trigger
    sleep 60
}

# Says what is tried, in one line.
say() {
    echo "guest: $(echo "$*" | head -n 1 | cut -c 1-100)"
}

step() {
    say "$*"
    "$@" || finish "failed"
}

# The command has to succeed, and its output has to contain a text.
shows() {
    text=$1
    shift
    say "$*"
    "$@" > /work/output 2>&1 || { cat /work/output; finish "failed"; }
    cat /work/output
    grep -qe "$text" /work/output || finish "failed: no \"$text\""
}

# The command has to end with this exit code, and its output has to contain a text.
fails() {
    code=$1
    text=$2
    shift 2
    say "(exit code $code) $*"
    "$@" > /work/output 2>&1
    found=$?
    cat /work/output
    [ "$found" = "$code" ] || finish "failed: exit code $found"
    grep -qe "$text" /work/output || finish "failed: no \"$text\""
}

# What the command before said has to contain these, too.
and_shows() {
    for text in "$@"; do
        grep -qe "$text" /work/output || finish "failed: no \"$text\""
    done
}

# Tries a command until it succeeds.
wait_for() {
    for _ in $(seq 40); do
        "$@" > /dev/null 2>&1 && return
        sleep 0.5
    done
    finish "failed: waited in vain for $*"
}

# As somebody who is not root.
user() {
    runuser -u person -- env PICO_HSM_PIN=648219 PICO_HSM_SO_PIN=57621880 "$@"
}

tool() {
    user pico-hsm-tool "$@"
}

# Whether a device with this vendor's number is there.
is_there() {
    grep -qx "$1" /sys/bus/usb/devices/*/idVendor
}

plug_in() {
    wait_for usbip --tcp-port "$port" attach -r 10.0.2.2 -b 1-1
    wait_for is_there "$1"
    udevadm settle
}

unplug() {
    step usbip detach -p 0
    sleep 1
}

# Plugs the device in anew, with what it was configured to be: the vendor's number is that.
power_cycle() {
    unplug
    echo "guest: power-cycle"
    plug_in "$1"
}

stop_service() {
    systemctl --quiet disable --now pcscd.socket
    systemctl --quiet stop pcscd.service
}

is_in_a_reader() {
    opensc-tool --list-readers | grep -q "CCID Interface"
}

port=$(sed 's/.*usbip_port=\([0-9]*\).*/\1/' /proc/cmdline)
mkdir --mode 777 /work
useradd --create-home --groups plugdev person
echo "person ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/person
echo "127.0.0.1 $(cat /proc/sys/kernel/hostname)" >> /etc/hosts
echo data > /work/data

# The network that qemu gives: the host is 10.0.2.2.
card=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
step ip link set "$card" up
step ip addr add 10.0.2.15/24 dev "$card"
step modprobe vhci-hcd

say "=== a PC without the smart-card service"
stop_service
mv /usr/sbin/pcscd /usr/sbin/pcscd.away
fails 2 "does not run" tool status
plug_in feff
step grep -H . $(dirname "$(grep -lx feff /sys/bus/usb/devices/*/idVendor)")/product
fails 2 "this user may not" tool status
and_shows 70-ferrite-hsm.rules uaccess
fails 2 "pcscd is not installed" tool doctor
and_shows "good  USB: Ferrite HSM (FEFF:FCFD)" "BAD   CCID driver: does not know" "BAD   direct USB: .*this user may not"
# What it advises, by hand.
grep -o 'SUBSYSTEM==.*' /work/output | head -n 1 > /etc/udev/rules.d/70-ferrite-hsm.rules
udevadm control --reload
unplug
plug_in feff
fails 2 "this program reaches it directly" tool doctor
and_shows "good  direct USB: Ferrite HSM, serial number [0-9A-F]\{16\}, at /dev/bus/usb/"

say "=== everything by direct USB"
shows "/dev/bus/usb/" tool list
shows "The device is not initialised" tool status
step tool initialize --yes
shows "/dev/bus/usb/" tool status
and_shows "virtual device" "3 tries left"
shows "ccid,vendor" tool config show
step tool key generate p256 --label ec
step tool key generate rsa:4096 --label rsa
step tool key public-key ec --output /work/key.pem
step tool sign ec /work/data --output /work/signature
shows "Verified OK" openssl dgst -sha256 -verify /work/key.pem -signature /work/signature /work/data
head -c 60000 /dev/urandom > /work/object
step tool data put big /work/object
step tool data get big --output /work/back
step cmp /work/object /work/back
fails 3 "2 tries are left" user env PICO_HSM_PIN=111111 pico-hsm-tool sign ec /work/data
# Each run of the tool leaves no session behind.
shows "tries left" tool status
serial=$(cat $(dirname "$(grep -lx feff /sys/bus/usb/devices/*/idVendor)")/serial)
node=$(tool --json list | sed -n 's/.*"usb": "\(.*\)".*/\1/p')
step tool --device "$serial" status
step tool --device "$node" status
fails 2 "no device has this name" tool --device nobody status

say "=== interrupted by its user, and unplugged in the middle"
# The one in the middle of a long command, the other of many short ones: whoever comes next finds the device in order.
for work in "key generate rsa:4096" "random 1048576 --output /work/random"; do
    say "pico-hsm-tool $work, interrupted"
    user timeout --signal=INT 1 pico-hsm-tool $work
    shows " ec" tool key list
done
say "pico-hsm-tool random 1048576, unplugged"
tool random 1048576 --output /work/random > /work/output 2>&1 &
tool=$!
sleep 1
usbip detach -p 0
wait $tool
found=$?
cat /work/output
[ "$found" = 7 ] || finish "failed: exit code $found"
and_shows "the device is gone"
sleep 1
plug_in feff
shows " ec" tool key list

say "=== identifiers that no driver knows"
mv /usr/sbin/pcscd.away /usr/sbin/pcscd
step tool config set --usb 1209:0001 --product "Safe deposit" --yes
power_cycle 1209
systemctl --quiet enable --now pcscd.socket
shows "No smart card readers" opensc-tool --list-readers
shows "/dev/bus/usb/" tool status
step tool sign ec /work/data --output /work/signature
shows "Verified OK" openssl dgst -sha256 -verify /work/key.pem -signature /work/signature /work/data
fails 2 "does not know Safe deposit (1209:0001)" tool doctor
# They can always be mended; these are in the list.
step tool config set --usb 20A0:4230 --yes
power_cycle 20a0
wait_for is_in_a_reader
shows "Safe deposit" opensc-tool --list-readers
step tool config clear --yes
power_cycle feff

say "=== doctor --fix, by somebody who is not root"
stop_service
rm /etc/udev/rules.d/70-ferrite-hsm.rules
udevadm control --reload
unplug
plug_in feff
fails 2 "BAD   connection: the service is installed and does not run" tool doctor
fails 1 "needs a confirmation" tool doctor --fix
shows "good  CCID driver: knows Ferrite HSM (FEFF:FCFD)" tool doctor --fix --yes
and_shows "good  connection: the service answers" "good  reader: .*Ferrite HSM CCID Interface.*: an HSM is in it"
step test -f /usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist.before-pico-hsm-tool
step test -f /etc/udev/rules.d/70-ferrite-hsm.rules
shows '"well": true' tool --json doctor
# In its reader and on USB it is one device.
shows '"reader": ".*Ferrite HSM' tool --json list
[ "$(grep -c '"reader"' /work/output)" = 1 ] || finish "failed: counted twice"
# Also when the service is started by the question.
step systemctl stop pcscd.service
shows '"reader": ".*Ferrite HSM' tool --json list
[ "$(grep -c '"reader"' /work/output)" = 1 ] || finish "failed: counted twice"
shows "Ferrite HSM CCID Interface" tool status

say "=== OpenSC"
shows "Ferrite HSM CCID Interface" opensc-tool --list-readers
shows "3b:fe:18:00:00:81:31:fe:45:80:31:81:54:48:53:4d:31:73:80:21:40:81:07:fa" opensc-tool --atr
shows "SmartCard-HSM" opensc-tool --name
# An extended APDU of 60007 bytes, in one message of CCID; the card does not know its instruction.
zeros=$(head -c 60000 /dev/zero | od -An -v -tx1 | tr -d ' \n')
shows "SW1=0x6D, SW2=0x00" opensc-tool --send-apdu "00FE000000EA60$zeros"

step sc-hsm-tool --initialize --so-pin 3537363231383830 --pin 648219 --label guest
step pkcs11-tool --login --pin 648219 --keypairgen --key-type EC:prime256v1 --id 10 --label ec
step pkcs11-tool --login --pin 648219 --keypairgen --key-type rsa:4096 --id 11 --label rsa
step pkcs11-tool --login --pin 648219 --sign --id 10 --mechanism ECDSA-SHA256 --signature-format openssl \
    --input-file /work/data --output-file /work/signature
step pkcs11-tool --read-object --type pubkey --id 10 --output-file /work/key.der
shows "Verified Successfully" openssl pkeyutl -verify -pubin -keyform DER -inkey /work/key.der -rawin -digest sha256 \
    -in /work/data -sigfile /work/signature
step pkcs11-tool --login --pin 648219 --sign --id 11 --mechanism SHA256-RSA-PKCS \
    --input-file /work/data --output-file /work/signature
step pkcs11-tool --read-object --type pubkey --id 11 --output-file /work/key.der
shows "Verified OK" openssl dgst -sha256 -keyform DER -verify /work/key.der -signature /work/signature /work/data
# pkcs11-tool takes no more than 5000 bytes of an object.
head -c 5000 /dev/urandom > /work/object
step pkcs11-tool --login --pin 648219 --write-object /work/object --type data --label object
step pkcs11-tool --login --pin 648219 --read-object --type data --label object --output-file /work/back
step cmp /work/object /work/back

# Pulled out and plugged in again: everything is still there.
unplug
plug_in feff
wait_for is_in_a_reader
step pkcs11-tool --login --pin 648219 --sign --id 10 --mechanism ECDSA --input-file /work/data --output-file /work/signature
finish ok

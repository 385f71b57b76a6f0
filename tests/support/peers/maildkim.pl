# Signs and verifies with Mail::DKIM for a test, request by request, until its input ends. The name server: address and port, as arguments.
#
#   verify LENGTH                              and so many octets: a line "selector result detail" for each signature
#   sign LENGTH ALGORITHM DOMAIN SELECTOR FORM KEYFILE   likewise: the length of the field, and the field
#
# Every answer ends in a line with a dot.
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my ($address, $port) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => [$address], port => $port, recurse => 0));
binmode STDIN;
binmode STDOUT;
$| = 1;

sub one_line { my ($text) = @_; $text =~ s/\s+/ /g; return $text }

while (defined(my $line = <STDIN>)) {
    my ($verb, $length, @words) = split ' ', $line;
    my $message = '';
    read(STDIN, $message, $length) == $length or die "the message is cut short\n";
    my $answer = eval { $verb eq 'sign' ? signed($message, @words) : verified($message) };
    print defined $answer ? $answer : 'error ' . one_line($@) . "\n", ".\n";
}

sub verified {
    my ($message) = @_;
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT($message);
    $verifier->CLOSE;
    my $answer = '';
    for my $signature ($verifier->signatures) {
        my $selector = $signature->selector // '';
        $answer .= "result $selector " . ($signature->result // 'none') . ' ' . one_line($signature->result_detail // '') . "\n";
    }
    return $answer;
}

sub signed {
    my ($message, $algorithm, $domain, $selector, $form, $file) = @_;
    my $key = Mail::DKIM::PrivateKey->load(File => $file);
    my $signer = Mail::DKIM::Signer->new(Algorithm => $algorithm, Method => $form, Domain => $domain, Selector => $selector, Key => $key);
    $signer->PRINT($message);
    $signer->CLOSE;
    my $field = $signer->signature->as_string;
    return 'field ' . length($field) . "\n$field\n";
}
